// Commissioning a machine: start, watch the meter, read the verdict, take it or leave it.
import { extend } from "./page.js";
import { el, get, number, post, say } from "./dom.js";

const runs = new Map();

async function step(machine, body) {
  try {
    const standing = await post(`/api/machines/${encodeURIComponent(machine)}/commission`, body);
    runs.set(machine, standing);
    draw(machine);
    if (standing.phase) say(`Commissioning of ${machine}: ${standing.phase}`);
    else say(body.action === "accept" ? `${machine} is learnt` : "Nothing was kept");
  } catch (error) { draw(machine, error.message); }
}

function meter(standing) {
  const share = standing.rms_dbfs === null ? 0 : Math.max(0, Math.min(1, (standing.rms_dbfs + 80) / 80));
  return el("div", {}, el("div", { class: "meter", role: "meter", "aria-label": "Level", "aria-valuemin": "-80", "aria-valuemax": "0",
    "aria-valuenow": standing.rms_dbfs === null ? "-80" : standing.rms_dbfs.toFixed(0) }, el("div", { style: { width: `${100 * share}%` } })),
    el("p", { class: "soft" }, `level ${number(standing.rms_dbfs, 1, " dBFS")}, peak ${number(standing.peak_dbfs, 1, " dBFS")}`));
}

function contents(machine, problem) {
  const standing = runs.get(machine);
  const button = (text, body, main) => el("button", { type: "button", class: main ? "main" : "", onclick: () => step(machine, typeof body === "function" ? body() : body) }, text);
  const wrong = problem && el("p", { role: "alert" }, problem);
  if (!standing || !standing.phase) {
    const minutes = el("input", { type: "number", min: 1, max: 240, value: 10, "aria-label": "Minutes of normal sound" });
    const name = el("input", { placeholder: "operating state, if it has several", maxlength: 64, "aria-label": "Operating state" });
    return [el("p", {}, "Learn what normal sounds like: the machine should run as it usually does, about ten minutes, better in several sessions."),
      el("div", { class: "row" }, minutes, "minutes", name, button("Commission", () => ({ action: "start", minutes: Number(minutes.value), state: name.value.trim() || null }), true)), wrong];
  }
  const listening = standing.phase === "listening";
  const shown = [meter(standing),
    el("p", {}, `${number(standing.heard_s, 0)} of ${number(standing.wanted_s, 0)} s heard, ${standing.windows} windows`
      + (Object.keys(standing.left_out).length ? `; left out: ${Object.entries(standing.left_out).map(([why, count]) => `${count} ${why}`).join(", ")}` : "")),
    el("progress", { max: standing.wanted_s, value: standing.heard_s, "aria-label": "Sound heard" }),
    standing.problem && el("p", { role: "alert" }, standing.problem),
    standing.notes.length > 0 && el("ul", {}, standing.notes.slice(-5).map((note) => el("li", {}, note.text)))];
  if (listening) return [...shown, el("div", { class: "row" }, button("Learn from what there is", { action: "conclude" }), button("Stop", { action: "discard" })), wrong];
  if (standing.phase === "refused") return [...shown, el("p", { role: "alert" }, standing.refusal), el("div", { class: "row" }, button("Listen 5 minutes more", { action: "go_on", minutes: 5 }, true), button("Discard", { action: "discard" })), wrong];
  return [...shown, el("h3", {}, "What was learnt"), el("ul", {}, standing.verdict.map((line) => el("li", {}, line))),
    el("div", { class: "row" }, button("Use it", { action: "accept" }, true), button("Listen 5 minutes more", { action: "go_on", minutes: 5 }), button("Discard", { action: "discard" })), wrong];
}

function draw(machine, problem) {
  const place = document.querySelector(`[data-commission="${CSS.escape(machine)}"]`);
  if (!place) return;
  const typing = place.contains(document.activeElement) && document.activeElement.tagName === "INPUT";
  if (typing && !problem) return;
  const at = [...place.querySelectorAll("button")].indexOf(document.activeElement);
  place.replaceChildren(...contents(machine, problem).filter(Boolean));
  if (at >= 0) place.querySelectorAll("button")[at]?.focus();
}

extend({
  name: "commission",
  async page(main, parts) { location.hash = `#/machine/${encodeURIComponent(parts[1] || "")}`; return () => false; },
  take(changes) {
    const now = new Map((changes.commissions || []).map((each) => [each.machine, each]));
    for (const machine of runs.keys()) if (!now.has(machine) && changes.commissions) { runs.delete(machine); draw(machine); }
    for (const [machine, standing] of now) { runs.set(machine, standing); draw(machine); }
    return false;
  },
  forMachine(name, state) {
    const known = state.overview.machines.find((each) => each.machine === name);
    if (!known || !known.facts || !known.facts.source) return [];
    const place = el("div", { "data-commission": name });
    get(`/api/machines/${encodeURIComponent(name)}/commission`).then((standing) => { runs.set(name, standing); draw(name); });
    const running = runs.get(name) && runs.get(name).phase;
    place.append(...contents(name).filter(Boolean));
    return [el("section", { class: "panel", "aria-label": "Commissioning" },
      el("details", { open: Boolean(running) || !known.facts.learnt }, el("summary", {}, known.facts.learnt ? "Commission it anew" : "Commission it"), place))];
  },
});
