// Several recordings, sent one after another to the API.

import { Refused, reason } from "./net.js";
import { say } from "./say.js";

const form = document.getElementById("add");
const drop = document.getElementById("drop");
const table = document.getElementById("sent");
const queue = [];
let busy = false;

function shows() {
  const other = form.elements.machine_id.value === "";
  document.getElementById("new-machine").hidden = !other;
  for (const name of ["site", "machine", "type"]) form.elements[name].required = other;
  document.getElementById("fault").hidden = form.elements.kind.value === "normal";
}
form.addEventListener("change", shows);
form.addEventListener("submit", (event) => event.preventDefault());
shows();

function addition() {
  const chosen = form.elements.machine_id.selectedOptions[0];
  const about = chosen.value
    ? { site: chosen.dataset.site, machine: chosen.dataset.name, type: chosen.dataset.type }
    : Object.fromEntries(["site", "machine", "type"].map((name) => [name, form.elements[name].value.trim()]));
  const kind = form.elements.kind.value;
  const label = form.elements.label.value.trim();
  if (kind === "normal") about.label = "normal";
  else if (kind === "anomalous") about.label = label || "anomalous";
  else { about.external = "true"; if (label) about.label = label; }
  return about;
}

function take(files) {
  if (!form.reportValidity()) return;
  for (const file of files) {
    const row = table.tBodies[0].insertRow();
    row.insertCell().textContent = file.name;
    const size = row.insertCell();
    size.className = "n";
    size.textContent = file.size < 1e6 ? `${Math.ceil(file.size / 1e3)} kB` : `${(file.size / 1e6).toFixed(1)} MB`;
    row.insertCell().textContent = "waiting";
    queue.push({ file, about: addition(), cell: row.cells[2] });
  }
  table.hidden = table.tBodies[0].rows.length === 0;
  void work();
}

async function work() {
  if (busy) return;
  busy = true;
  let added = 0;
  let refused = 0;
  for (let next = queue.shift(); next; next = queue.shift()) {
    next.cell.textContent = "sending";
    try {
      const found = await sendFile(next.file, next.about);
      const words = summary(found.clips);
      next.cell.replaceChildren(words, " ");
      const link = document.createElement("a");
      link.href = `/clips/${found.clips[0].clip.id}`;
      link.textContent = "listen";
      next.cell.append(link);
      added += 1;
    } catch (error) {
      next.cell.textContent = `not taken: ${error.message}`;
      next.cell.className = "worse";
      refused += 1;
    }
  }
  busy = false;
  say(`${added === 1 ? "One file" : `${added} files`} taken${refused ? `, ${refused} not` : ""}.`, { stays: refused > 0 });
}

function summary(clips) {
  const count = (state) => clips.filter((one) => one.state === state).length;
  const parts = [];
  if (count("added")) parts.push(`${count("added")} clip${count("added") === 1 ? "" : "s"} added`);
  if (count("repeated")) parts.push(`${count("repeated")} was there already`);
  if (count("deleted")) parts.push(`${count("deleted")} was there and is deleted`);
  return parts.join(", ");
}

async function sendFile(file, about) {
  const answer = await fetch(`/api/v1/sounds?${new URLSearchParams({ ...about, name: file.name.slice(0, 200) })}`, {
    method: "POST", body: file, credentials: "same-origin",
    headers: { "Content-Type": "application/octet-stream", "X-CSRF-Token": document.body.dataset.csrf },
  }).catch(() => { throw new Refused("the hub cannot be reached"); });
  if (!answer.ok) throw new Refused(await reason(answer));
  return answer.json();
}

document.getElementById("files").addEventListener("change", (event) => { take([...event.target.files]); event.target.value = ""; });
for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => { event.preventDefault(); take([...event.dataTransfer.files]); });
