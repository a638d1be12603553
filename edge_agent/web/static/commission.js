// Commissioning a machine: start, watch the meter, read the verdict, take it or leave it.
import { extend, redraw } from "./page.js";
import { el, get, hold, number, post, say, show } from "./dom.js";

const runs = new Map(), places = new Map(), busy = new Set(), ends = new Map();

function heard(machine, standing) {
  const before = runs.get(machine)?.phase || null;
  runs.set(machine, standing);
  draw(machine);
  if (standing.phase !== before) {
    redraw();
    const news = {
      listening: `Listening to ${machine}, to learn it`, learning: `Learning ${machine}`, learnt: `${machine}: the verdict is there`,
      refused: `${machine}: ${standing.refusal}`, stopped: `${machine}: ${standing.refusal}`,
    }[standing.phase];
    if (news) say(news);
  }
}

async function step(machine, body) {
  busy.add(machine); ends.delete(machine); draw(machine);
  const place = places.get(machine), held = place?.contains(document.activeElement);
  let problem = "";
  try {
    const standing = await post(`/api/machines/${encodeURIComponent(machine)}/commission`, body);
    if (!standing.phase) ended(machine, body.action === "accept" ? `${machine} is learnt. Its windows are scored from now on.` : "Nothing was kept.");
    heard(machine, standing);
  } catch (error) { problem = error.message; }
  busy.delete(machine);
  draw(machine, problem);
  if (held && !place.contains(document.activeElement)) place.focus({ preventScroll: true }); // the button is gone: stay here
}

function ended(machine, text) { ends.set(machine, text); say(text); }

function meter(standing) {
  const level = standing.rms_dbfs, share = level === null ? 0 : Math.max(0, Math.min(1, (level + 80) / 80));
  const away = standing.source && standing.source !== "up" ? `the source is ${standing.source}` : level === null ? "no sound yet" : null;
  return el("div", {}, el("div", { class: "meter", role: "meter", "aria-label": "Level", "aria-valuemin": "-80", "aria-valuemax": "0",
    "aria-valuenow": level === null ? "-80" : level.toFixed(0), "aria-valuetext": away || number(level, 0, " dBFS") }, el("div", { style: { width: `${100 * share}%` } })),
    el("p", { class: "soft" }, away || `level ${number(level, 1, " dBFS")}, peak ${number(standing.peak_dbfs, 1, " dBFS")}`));
}

function contents(machine, problem) {
  const standing = runs.get(machine), waits = busy.has(machine);
  const button = (text, body, main) => el("button", { type: "button", key: text, class: main ? "main" : "", disabled: waits,
    onclick: (event) => step(machine, typeof body === "function" ? body(event.currentTarget.parentElement) : body) }, text);
  const wrong = problem && el("p", { role: "alert", key: "wrong" }, problem);
  if (!standing || !standing.phase) {
    const start = (row) => ({ action: "start", minutes: Number(row.querySelector("[type=number]").value), state: row.querySelector("[name=state]").value.trim() || null });
    return [ends.has(machine) && el("p", { key: "ended" }, ends.get(machine)),
      el("p", {}, "Learn what normal sounds like: the machine should run as it usually does, about ten minutes, better in several sessions."),
      el("div", { class: "row", key: "start" }, el("input", { type: "number", min: 1, max: 240, value: 10, "aria-label": "Minutes of normal sound" }), "minutes",
        el("input", { name: "state", placeholder: "operating state, if it has several", maxlength: 64, "aria-label": "Operating state" }),
        button("Commission", start, true)), wrong];
  }
  const { phase } = standing, left = Object.entries(standing.left_out).map(([why, count]) => `${count} ${why.replaceAll("_", " ")}`).join(", ");
  const notes = standing.notes.filter((note) => !["learnt", "refused"].includes(note.kind)); // the verdict says that
  const acts = (...buttons) => el("div", { class: "row", key: phase }, buttons);
  const more = button("Listen 5 minutes more", { action: "go_on", minutes: 5 }, phase === "refused"), discard = button("Discard", { action: "discard" });
  if (phase === "stopped") return [el("p", { role: "alert", key: "refusal" }, standing.refusal), acts(button("I have seen it", { action: "discard" }, true)), wrong];
  const shown = [phase === "listening" && meter(standing),
    el("p", { key: "heard" }, `${number(standing.heard_s, 0)} of ${number(standing.wanted_s, 0)} s heard, ${standing.windows} windows${left && `; left out: ${left}`}`),
    el("progress", { key: "progress", max: standing.wanted_s, value: standing.heard_s, "aria-label": "Sound heard" }),
    standing.problem && el("p", { role: "alert", key: "problem" }, standing.problem),
    notes.length > 0 && el("ul", { key: "notes" }, notes.slice(-5).map((note) => el("li", {}, note.text)))];
  if (phase === "learning" || waits) return [...shown, el("p", { key: "learning" }, phase === "learning" ? "Learning: this takes some seconds." : "One moment."), wrong];
  if (phase === "listening") return [...shown, acts(button("Learn from what there is", { action: "conclude" }), button("Stop", { action: "discard" })), wrong];
  if (phase === "refused") return [...shown, el("p", { role: "alert", key: "refusal" }, `Not learnt: ${standing.refusal}`), acts(more, discard), wrong];
  return [...shown, el("h3", { key: "verdict" }, "What was learnt"), el("ul", { key: "lines" }, standing.verdict.map((line) => el("li", {}, line))),
    acts(button("Use it", { action: "accept" }, true), more, discard), wrong];
}

function draw(machine, problem) {
  const place = places.get(machine);
  if (place) show(place, contents(machine, problem));
}

extend({
  name: "commission", order: 2,
  async start() {
    for (const [machine, { phase }] of runs) {
      const standing = await get(`/api/machines/${encodeURIComponent(machine)}/commission`);
      if (phase && !standing.phase) ended(machine, "The commissioning ended while this page had no connection. What is in use now stands at the top.");
      heard(machine, standing);
    }
  },
  take(changes) {
    if (!changes.commissions) return false;
    const now = new Map(changes.commissions.map((each) => [each.machine, each]));
    for (const [machine, { phase }] of runs) {
      if (now.has(machine) || !phase || busy.has(machine)) continue;
      ended(machine, "The commissioning has ended. What is in use now stands at the top.");
      heard(machine, { machine, phase: null });
    }
    for (const [machine, standing] of now) heard(machine, standing);
    return false;
  },
  forMachine(name, state) {
    const known = state.overview.machines.find((each) => each.machine === name);
    if (!known || !known.facts || !known.facts.source) return [];
    if (!places.has(name)) {
      places.set(name, el("div", { tabindex: "-1" }));
      draw(name);
      get(`/api/machines/${encodeURIComponent(name)}/commission`).then((standing) => { if (standing.phase) { heard(name, standing); redraw(); } }).catch(() => {});
    }
    const running = runs.get(name)?.phase;
    return [el("section", { class: "panel", "aria-label": "Commissioning", key: `commission ${name} ${Boolean(running)}` },
      el("details", { open: Boolean(running) || !known.facts.learnt || ends.has(name) }, el("summary", {}, known.facts.learnt ? "Commission it anew" : "Commission it"), hold(places.get(name))))];
  },
});
