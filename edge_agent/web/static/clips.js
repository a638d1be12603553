// Kept sound of a machine: listen, have the next window kept, pin, label, delete.
import { extend } from "./page.js";
import { bytes, el, get, hold, moment, number, player, post, say, show, tag } from "./dom.js";

const REASONS = { alarm: "alarm", request: "asked for", uncertain: "near the threshold", novel: "unlike the others", random: "at random" };
const FEW = 6;
const requests = new Map();
let shown = null; // the panel of the machine that is looked at; the page around it may be drawn anew

const operator = () => localStorage.getItem("operator") || null;

function answer(request) {
  if (!request) return "";
  if (request.phase === "waiting") return "Asked for: it is kept when the window under way has ended.";
  if (request.phase === "recording") return "The window has ended; what comes after it is listened to, then it is screened for speech.";
  return request.phase === "kept" ? "Kept, and pinned." : `Not kept: ${request.why}.`;
}

class Panel {
  constructor(machine) {
    this.machine = machine;
    this.note = el("p", { class: "soft", role: "status" }, answer(requests.get(machine)));
    this.list = el("ul", { class: "clips" });
    this.kept = el("p", { class: "soft" });
    this.all = false; this.clips = []; this.normals = new Map();
    this.more = el("button", { type: "button", hidden: true, onclick: () => { this.all = true; this.refresh(); } }, "Show more");
    this.element = el("section", { class: "panel", "aria-label": "Kept sound" }, el("h3", {}, "Kept sound"),
      el("div", { class: "row" }, el("button", { type: "button", onclick: () => this.ask() }, "Keep the next window")), this.note, this.kept, this.list, this.more);
  }

  async ask() {
    try { this.take((await post(`/api/machines/${encodeURIComponent(this.machine)}/clips`, { operator: operator() })).request); } catch (error) { this.wrong(error); }
  }

  take(request) {
    const before = requests.get(this.machine);
    requests.set(this.machine, request);
    this.note.removeAttribute("data-wrong");
    this.note.textContent = answer(request);
    if (request && request.phase === "kept" && (!before || before.clip !== request.clip || before.phase !== "kept")) this.refresh();
  }

  wrong(error) { this.note.textContent = error.message; this.note.setAttribute("data-wrong", ""); }

  gone() { this.note.textContent = "That sound made room for others."; }

  async refresh() {
    try {
      const { clips, kept, requests: asked } = await get(`/api/clips?machine=${encodeURIComponent(this.machine)}`);
      if (asked[this.machine] && !requests.has(this.machine)) { requests.set(this.machine, asked[this.machine]); this.note.textContent = answer(asked[this.machine]); }
      this.kept.textContent = kept ? `${kept} kept${kept > clips.length ? `, the newest ${clips.length} here` : ""}.` : "Nothing is kept yet.";
      this.more.hidden = this.all || clips.length <= FEW;
      this.clips = clips;
      this.draw();
    } catch (error) { this.wrong(error); }
  }

  // What is being listened to stays, however many newer ones there are.
  draw() {
    const heard = [...this.list.children].filter((line) => [...line.querySelectorAll("audio")].some((audio) => !audio.paused)).map((line) => line.dataset.clip);
    show(this.list, this.clips.filter((clip, at) => this.all || at < FEW || heard.includes(clip.id)).map((clip) => this.line(clip)));
  }

  async compare(clip) {
    try { this.normals.set(clip.id, (await get(`/api/clips/${clip.id}/nearest`)).nearest); this.draw(); } catch (error) { this.wrong(error); }
  }

  beside(clip) {
    if (!clip.audio || ["normal", "uncommissioned", "unknown"].includes(clip.state)) return null;
    if (!this.normals.has(clip.id)) return el("button", { type: "button", key: "compare", "aria-label": `Compare with its normal sound the clip of ${moment(clip.at_s)}`, onclick: () => this.compare(clip) }, "Compare with its normal sound");
    const normal = this.normals.get(clip.id);
    if (!normal) return el("p", { class: "soft", key: "none" }, "No normal sound of it is kept yet, to compare it with.");
    return el("div", { key: normal.id }, el("p", { class: "soft" }, `Its most alike normal sound, ${moment(normal.at_s)}:`),
      player(normal.id, `Normal sound of ${this.machine}, ${moment(normal.at_s)}`, () => { this.gone(); this.compare(clip); }));
  }

  line(clip) {
    const when = moment(clip.at_s);
    const typed = (event) => event.currentTarget.parentElement.querySelector("input").value.trim();
    const button = (text, does) => el("button", { type: "button", key: text, "aria-label": `${text} the clip of ${when}`, onclick: does }, text);
    return el("li", { "data-clip": clip.id, key: clip.id },
      el("p", {}, el("strong", {}, when), " ", tag(clip.state), " ", clip.pinned && tag("quiet", "pinned"), " ", clip.label && tag("quiet", clip.label)),
      el("p", { class: "soft" }, [`kept: ${REASONS[clip.reason] || clip.reason}`, clip.score !== null && `score ${number(clip.score)} of ${number(clip.threshold)}`,
        ["masked", "trimmed"].includes(clip.speech) && `speech ${clip.speech}`, bytes(clip.size_bytes)].filter(Boolean).join(" · ")),
      clip.audio ? player(clip.id, `Sound of ${this.machine}, ${when}`, () => { this.gone(); this.refresh(); }) : el("p", { class: "soft" }, "No sound is kept at this site, only its spectrogram."),
      this.beside(clip),
      el("div", { class: "row", key: "acts" },
        el("input", { value: clip.label || "", maxlength: 128, placeholder: "what it was", "aria-label": `What the clip of ${when} was` }),
        button("Label", (event) => this.act(clip, "label", { label: typed(event) }, typed(event) ? "Labelled" : "The label is gone")),
        button(clip.pinned ? "Unpin" : "Pin", () => this.act(clip, clip.pinned ? "unpin" : "pin", {}, clip.pinned ? "Not pinned any more" : "Pinned: it is never deleted for room")),
        button("Delete", () => this.remove(clip, when))));
  }

  async act(clip, verb, more, done) {
    try {
      await post(`/api/clips/${clip.id}/${verb}`, { operator: operator(), ...more });
      await this.refresh();
      this.note.textContent = done; say(done);
    } catch (error) { this.wrong(error); }
  }

  remove(clip, when) {
    const dialog = el("dialog", { "aria-label": "Delete a clip", onclose: () => dialog.remove() },
      el("p", {}, `Delete the clip of ${when}${clip.pinned ? ", which is pinned," : ""} for good?`),
      el("div", { class: "row" },
        el("button", { type: "button", onclick: () => dialog.close() }, "Keep it"),
        el("button", { type: "button", class: "main", onclick: () => { dialog.close(); this.act(clip, "delete", {}, "Deleted"); } }, "Delete it")));
    document.body.append(dialog);
    dialog.showModal();
  }
}

extend({
  name: "clips", order: 3, below: true,
  take(changes) {
    for (const [machine, request] of Object.entries(changes.clip_requests || {})) {
      const before = requests.get(machine);
      if (shown && shown.machine === machine && shown.element.isConnected) { shown.take(request); continue; } // its note is read out
      requests.set(machine, request);
      if (before && before.phase !== request.phase && request.phase !== "recording") say(`${machine}: ${answer(request)}`);
    }
    return false;
  },
  forMachine(name, state) {
    if (!state.clips) return [];
    if (!shown || shown.machine !== name) shown = new Panel(name);
    shown.refresh();
    return [hold(shown.element)];
  },
  async start(state) {
    state.clips = state.overview.offers.includes("/api/clips");
  },
});
