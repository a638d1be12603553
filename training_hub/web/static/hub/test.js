// One sound, from a file or from this computer's microphone, judged by the hub.

import { Refused, reason } from "./net.js";
import { say } from "./say.js";
import { wavOf } from "./wav.js";

const SECONDS = 10;
const form = document.getElementById("test");
const drop = document.getElementById("drop");
const place = document.getElementById("verdict");
const status = document.getElementById("recording");

async function judge(file, name) {
  place.replaceChildren(titled("Listening…"));
  const chosen = form.elements.machine.selectedOptions[0];
  const query = new URLSearchParams({ name: name.slice(0, 200), ...(chosen.value ? { site: chosen.dataset.site, machine: chosen.dataset.name } : {}) });
  try {
    const answer = await fetch(`/api/v1/sounds/test?${query}`, {
      method: "POST", body: file, credentials: "same-origin",
      headers: { "Content-Type": "application/octet-stream", "X-CSRF-Token": document.body.dataset.csrf },
    }).catch(() => { throw new Refused("The hub cannot be reached."); });
    if (!answer.ok) throw new Refused(await reason(answer));
    show(await answer.json(), URL.createObjectURL(file));
  } catch (error) {
    const note = document.createElement("p");
    note.className = "notice bad";
    note.textContent = error.message;
    place.replaceChildren(titled("Not judged"), note);
  }
}

function titled(text) {
  const heading = document.createElement("h2");
  heading.textContent = text;
  return heading;
}

function show(found, sound) {
  const view = document.getElementById("answer").content.cloneNode(true);
  const at = (name) => view.querySelector(`[data-at="${name}"]`);
  const judged = found.judgement;
  const word = judged?.verdict ?? "unknown";
  at("verdict").textContent = word.replace("_", " ");
  at("verdict").classList.add(`is-${word === "anomalous" ? "alarm" : word}`);
  at("probability").textContent = judged ? `odder than ${(100 * judged.probability).toFixed(1)} % of this machine's normals (score ${judged.score.toFixed(2)}, threshold ${judged.threshold.toFixed(2)})` : "";
  at("text").textContent = judged ? judged.text : `Not judged: ${found.why_not_judged}.`;
  at("sound").src = sound;
  at("picture").src = `data:image/png;base64,${found.spectrogram_png}`;
  const list = at("bands");
  if (judged?.bands.length) bands(list, judged.bands); else { list.previousElementSibling.remove(); list.remove(); }
  facts(at("facts"), found);
  const beside = judged?.nearest_normal?.clip ?? found.nearest_machine?.clip;
  if (beside) {
    const link = document.createElement("a");
    link.href = `/clips/${beside}`;
    link.textContent = judged ? "Listen to its most alike normal clip" : "Listen to the nearest clip";
    at("nearest").append(link);
  }
  place.replaceChildren(view);
}

function bands(list, found) {
  const most = Math.max(...found.map((band) => Math.abs(band.contribution))) || 1;
  for (const band of found) {
    const wide = 50 * Math.abs(band.contribution) / most;
    const row = document.createElement("li");
    row.innerHTML = `<span class="n"></span><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="ground" width="100" height="8"></rect><rect height="8" class="${band.contribution > 0 ? "more" : "less"}" x="${band.contribution > 0 ? 50 : 50 - wide}" width="${wide}"></rect></svg><span class="n"></span>`;
    row.firstElementChild.textContent = `${Math.round(band.centre_hz)} Hz`;
    row.lastElementChild.textContent = `${band.change_db >= 0 ? "+" : ""}${band.change_db.toFixed(1)} dB`;
    list.append(row);
  }
}

function facts(list, found) {
  const near = found.nearest_machine;
  const rows = [
    ["File", `${found.file_name}, ${found.heard_s.toFixed(1)} s heard`],
    ["Prepared", found.preparation.join(", ") || "as it was"],
    ["Level", found.level_dbfs == null ? "silence" : `${found.level_dbfs.toFixed(1)} dBFS`],
    ["Sounds like", found.identity ? `${found.identity.label} (${Math.round(100 * found.identity.confidence)} %)` : "too little was heard"],
    ["Nearest machine", near ? `${near.machine}, ${near.site} (distance ${near.distance.toFixed(2)})` : "none can be compared"],
    ["Models", `${found.bundle.name} ${found.bundle.version}`],
    ...(found.judgement?.input_health ?? []).map((flaw) => ["Input", flaw.message]),
  ];
  for (const [term, text] of rows) {
    list.append(Object.assign(document.createElement("dt"), { textContent: term }), Object.assign(document.createElement("dd"), { textContent: text }));
  }
}

async function record(button) {
  if (!navigator.mediaDevices) { say("A browser gives its microphone only to pages that came over https or from this computer.", { stays: true }); return; }
  button.disabled = true;
  let context;
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 } });
    context = new AudioContext();
    await context.audioWorklet.addModule(`${document.body.dataset.static}/hub/recorder.worklet.js`);
    const node = new AudioWorkletNode(context, "recorder");
    const pieces = [];
    let heard = 0;
    const wanted = SECONDS * context.sampleRate;
    await new Promise((done) => {
      node.port.onmessage = ({ data }) => {
        pieces.push(data);
        heard += data.length;
        status.textContent = `Recording: ${(heard / context.sampleRate).toFixed(1)} of ${SECONDS} s`;
        if (heard >= wanted) done();
      };
      context.createMediaStreamSource(stream).connect(node);
    });
    const samples = new Float32Array(heard);
    pieces.reduce((start, piece) => { samples.set(piece, start); return start + piece.length; }, 0);
    status.textContent = "Recorded.";
    await judge(wavOf(samples.subarray(0, wanted), context.sampleRate), "recorded here.wav");
  } catch (error) {
    status.textContent = error.name === "NotAllowedError" ? "The browser was not allowed to use the microphone." : `No recording: ${error.message}`;
  } finally {
    stream?.getTracks().forEach((track) => track.stop());
    await context?.close();
    button.disabled = false;
  }
}

form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("file").addEventListener("change", (event) => { const [file] = event.target.files; if (file) void judge(file, file.name); event.target.value = ""; });
document.getElementById("record").addEventListener("click", (event) => void record(event.target));
for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => { event.preventDefault(); const [file] = event.dataTransfer.files; if (file) void judge(file, file.name); });
