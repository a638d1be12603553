// Alarms: what stands, what people do about it, and what happened.
import { extend } from "./page.js";
import { el, get, moment, post, say, tag, time } from "./dom.js";

const WORDS = {
  unacknowledged: "not acknowledged", acknowledged: "acknowledged", returned_unacknowledged: "over, not acknowledged",
  latched: "over, waits for a reset", shelved: "shelved", out_of_service: "out of service",
};
const TIMES = [["1 hour", 3600], ["8 hours", 28800], ["1 day", 86400], ["1 week", 604800]];

function operator() { return localStorage.getItem("operator") || ""; }

async function act(verb, alarm, more, note) {
  const about = { machine: alarm.machine || null, kind: alarm.kind, fault: alarm.fault || null, alarm: alarm.id || null, operator: operator() || null };
  try {
    const reply = await post(`/api/commands/${verb}`, { ...about, ...more });
    note.textContent = reply.text; say(reply.text);
  } catch (error) { note.textContent = error.message; note.setAttribute("role", "alert"); }
}

function panel(alarm) {
  const note = el("p", { class: "soft" });
  const reason = el("input", { "aria-label": `Reason, for ${alarm.machine || "the plant"}`, placeholder: "reason", maxlength: 500 });
  const span = el("select", { "aria-label": "Shelve for" }, TIMES.map(([text, seconds]) => el("option", { value: seconds }, text)));
  const label = el("input", { "aria-label": `What it was, for ${alarm.machine || "the plant"}`, placeholder: "what it was, e.g. bearing, normal", maxlength: 64 });
  const button = (verb, text, more = () => ({})) => el("button", { type: "button", class: verb === "acknowledge" ? "main" : "",
    onclick: () => act(verb, alarm, { reason: reason.value || null, ...more() }, note) }, text);
  const asleep = alarm.state === "shelved" || alarm.state === "out_of_service";
  return el("section", { class: "panel", "aria-label": `Alarm of ${alarm.machine || "the plant"}` },
    el("h3", {}, alarm.machine ? el("a", { href: `#/machine/${encodeURIComponent(alarm.machine)}` }, alarm.machine) : "The plant", " ",
      tag(alarm.state, WORDS[alarm.state] || alarm.state), " ", tag(alarm.severity), alarm.kind === "input_fault" && [" ", tag("input_fault", alarm.fault.replaceAll("_", " "))]),
    el("p", { class: "said" }, alarm.text),
    el("p", { class: "soft" }, [
      alarm.raised_s && `since ${moment(alarm.raised_s)}`, alarm.active ? "still there" : "over now",
      alarm.acknowledged_by && `seen by ${alarm.acknowledged_by}`, alarm.reason && `reason: ${alarm.reason}`,
      alarm.shelved_until_s && `shelved until ${moment(alarm.shelved_until_s)}`, alarm.label && `was: ${alarm.label}`,
      alarm.machines.length && `with ${alarm.machines.join(", ")}`,
    ].filter(Boolean).join(" · ")),
    alarm.clips.map((clip) => el("div", {}, el("p", { class: "soft" }, "Listen: "), el("audio", { controls: true, preload: "none", src: `/api/clips/${clip}/audio`, "aria-label": `Sound of the alarm of ${alarm.machine}` }))),
    alarm.clips.length > 0 && beside(alarm),
    el("div", { class: "row" }, !asleep && button("acknowledge", "Acknowledge"), reason,
      alarm.state !== "shelved" && alarm.state !== "out_of_service" && [button("shelve", "Shelve for", () => ({ for_s: Number(span.value) })), span],
      alarm.state === "shelved" && button("unshelve", "Take back from the shelf"),
      alarm.state === "out_of_service" ? button("in_service", "Put into service") : button("out_of_service", "Out of service")),
    alarm.id && el("div", { class: "row" }, label, button("label", "Say what it was", () => ({ label: label.value.trim() }))),
    note);
}

// The normal sound that is most alike, to hear the difference.
function beside(alarm) {
  const place = el("div", {});
  get(`/api/clips?nearest&machine=${encodeURIComponent(alarm.machine)}`).then(({ clips }) => {
    const own = clips.find((clip) => alarm.clips.includes(clip.id) && clip.nearest_normal);
    if (own) place.append(el("p", { class: "soft" }, "Most alike of its kept normal sounds:"), el("audio", { controls: true, preload: "none", src: `/api/clips/${own.nearest_normal}/audio`, "aria-label": `Normal sound of ${alarm.machine}` }));
  }).catch(() => {});
  return place;
}

function order(alarms) {
  const rank = { unacknowledged: 0, returned_unacknowledged: 1, latched: 2, acknowledged: 3, shelved: 4, out_of_service: 5 };
  return [...alarms].sort((a, b) => rank[a.state] - rank[b.state] || b.changed_s - a.changed_s);
}

async function page(main) {
  const { alarms, history } = await get("/api/alarms");
  const name = el("input", { id: "operator", value: operator(), maxlength: 64, autocomplete: "name",
    onchange: (event) => localStorage.setItem("operator", event.target.value.trim()) });
  main.replaceChildren(
    el("h2", {}, alarms.length === 0 ? "No alarm stands" : alarms.length === 1 ? "1 alarm" : `${alarms.length} alarms`),
    el("div", { class: "row" }, el("label", { for: "operator" }, "Your name, for the audit log"), name),
    ...order(alarms).map(panel),
    el("section", { class: "panel wide", tabindex: "0", "aria-label": "What happened" }, el("table", {},
      el("caption", {}, "What happened, newest first"),
      el("thead", {}, el("tr", {}, ["Time", "Machine", "What", "Now", "Who", "Text"].map((title) => el("th", { scope: "col" }, title)))),
      el("tbody", {}, history.map((line) => el("tr", {}, el("td", {}, moment(line.at_s)),
        el("td", {}, line.machine + (line.fault ? ` (${line.fault})` : "")), el("td", {}, (line.event || "").replaceAll("_", " ")),
        el("td", {}, tag(line.state, WORDS[line.state] || line.state)), el("td", {}, line.operator || "–"), el("td", {}, line.text)))))));
  return () => false;
}

function count(alarms) {
  const waiting = alarms.filter((alarm) => alarm.state === "unacknowledged" || alarm.state === "returned_unacknowledged").length;
  const badge = document.getElementById("alarm-count");
  badge.hidden = waiting === 0;
  badge.textContent = waiting ? `${waiting}` : "";
  badge.setAttribute("aria-label", `${waiting} not acknowledged`);
}

extend({
  name: "alarms",
  page,
  async start(state) { state.alarms = (await get("/api/alarms")).alarms; count(state.alarms); },
  take(changes, state) {
    if (!changes.alarms) return false;
    const before = new Set(state.alarms.map((alarm) => alarm.id + alarm.state));
    for (const alarm of changes.alarms) if (alarm.state === "unacknowledged" && !before.has(alarm.id + alarm.state)) say(`Alarm, ${time(Date.now() / 1000)}: ${alarm.text}`);
    state.alarms = changes.alarms;
    count(state.alarms);
    return true;
  },
  forMachine(name, state) { return order(state.alarms.filter((alarm) => alarm.machine === name || alarm.machines.includes(name))).map(panel); },
});
