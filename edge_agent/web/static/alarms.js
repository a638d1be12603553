// Alarms: what stands, what people do about it, and what happened.
import { extend, redraw } from "./page.js";
import { el, get, moment, player, post, say, table, tag, time } from "./dom.js";
import { WORDS, alarmsOf, inOrder } from "./standing.js";

const TIMES = [["1 hour", 3600], ["8 hours", 28800], ["1 day", 86400], ["1 week", 604800]];
const ASK_AGAIN_MS = 60000;
const PUT_ASIDE = ["shelve", "out_of_service"]; // whoever does so says why
const answers = new Map(); // what became of the last act on an alarm
const normals = new Map(); // of a clip, its most alike normal sound
const gone = new Set(); // clips that turned out not to be kept any more

function operator() { return localStorage.getItem("operator") || ""; }
function keyOf(alarm) { return `${alarm.kind} ${alarm.machine} ${alarm.fault} ${alarm.id}`; }
function ownerOf(alarm) { return alarm.machine || "the plant"; }

async function act(verb, alarm, more) {
  const about = { machine: alarm.machine || null, kind: alarm.kind, fault: alarm.fault || null, alarm: alarm.id || null, operator: operator() || null };
  let text, wrong = false;
  if (PUT_ASIDE.includes(verb) && !more.reason) { answers.set(keyOf(alarm), { text: "Say the reason first.", wrong: true }); say("Say the reason first"); redraw(); return; }
  try { ({ text } = await post(`/api/commands/${verb}`, { ...about, ...more })); } catch (error) { text = error.message; wrong = true; }
  answers.set(keyOf(alarm), { text, wrong });
  say(text);
  redraw();
}

function panel(alarm) {
  const owner = ownerOf(alarm), fault = alarm.kind === "input_fault" ? alarm.fault.replaceAll("_", " ") : "", answer = answers.get(keyOf(alarm));
  const typed = (event, name) => event.currentTarget.closest("section").querySelector(`[name=${name}]`)?.value.trim() || null;
  const button = (verb, text, more = () => ({})) => el("button", { type: "button", key: verb, class: verb === "acknowledge" ? "main" : "",
    onclick: (event) => {
      const said = { reason: typed(event, "reason"), ...more(event) };
      if (PUT_ASIDE.includes(verb) && !said.reason) event.currentTarget.closest("section").querySelector("[name=reason]").focus();
      act(verb, alarm, said);
    } }, text);
  const asleep = alarm.state === "shelved" || alarm.state === "out_of_service";
  const waits = ["unacknowledged", "returned_unacknowledged", "latched"].includes(alarm.state);
  return el("section", { class: "panel", key: keyOf(alarm), "aria-label": `Alarm of ${owner}${fault && `: ${fault}`}` },
    el("h3", {}, alarm.machine ? el("a", { href: `#/machine/${encodeURIComponent(alarm.machine)}` }, alarm.machine) : "The plant", " ",
      tag(alarm.state, WORDS[alarm.state] || alarm.state), " ", tag(alarm.severity), fault && [" ", tag("input_fault", fault)]),
    el("p", { class: "said" }, alarm.text),
    el("p", { class: "soft" }, [
      alarm.raised_s && `since ${moment(alarm.raised_s)}`, alarm.active ? "still there" : "over now",
      alarm.acknowledged_by && `seen by ${alarm.acknowledged_by}`, alarm.reason && `reason: ${alarm.reason}`,
      alarm.shelved_until_s && `shelved until ${moment(alarm.shelved_until_s)}`, alarm.label && `was: ${alarm.label}`,
      alarm.machines.length && `with ${alarm.machines.join(", ")}`,
    ].filter(Boolean).join(" · ")),
    sounds(alarm),
    el("div", { class: "row", key: "acts" }, waits && button("acknowledge", "Acknowledge"),
      el("input", { name: "reason", key: "reason", "aria-label": `Reason, for ${owner}`, placeholder: "reason", maxlength: 500 }),
      !asleep && [button("shelve", "Shelve for", (event) => ({ for_s: Number(typed(event, "span")) })),
        el("select", { name: "span", key: "span", "aria-label": `Shelve ${owner} for` }, TIMES.map(([text, seconds]) => el("option", { value: seconds }, text)))],
      alarm.state === "shelved" && button("unshelve", "Take back from the shelf"),
      alarm.state === "out_of_service" ? button("in_service", "Put into service") : button("out_of_service", "Out of service")),
    alarm.id && el("div", { class: "row", key: "label" },
      el("input", { name: "label", "aria-label": `What it was, for ${owner}`, placeholder: "what it was, e.g. bearing, normal", maxlength: 64 }),
      button("label", "Say what it was", (event) => ({ label: typed(event, "label") || "" }))),
    answer && el("p", { class: "soft", key: "answer", "data-wrong": answer.wrong }, answer.text));
}

// The sound that was kept of an alarm, and the normal sound that is most alike, to hear the difference.
function sounds(alarm) {
  if (!alarm.clips.length) return null;
  const [first] = alarm.clips, found = normals.get(first);
  if (!found || (!found.normal && performance.now() - found.at_ms > ASK_AGAIN_MS)) ask(first);
  const sound = (clip, title, name, lost) => el("div", { key: clip }, el("p", { class: "soft" }, title),
    gone.has(clip) ? el("p", { class: "soft" }, "It is not kept any more.") : player(clip, name, lost));
  return el("div", { class: "sounds", key: "sounds" },
    alarm.clips.map((clip, at) => sound(clip, alarm.clips.length > 1 ? `The alarm, ${at + 1} of ${alarm.clips.length}:` : "The alarm:",
      `Sound of the alarm of ${ownerOf(alarm)}${at ? `, ${at + 1}` : ""}`, () => { gone.add(clip); say("This sound is not kept any more"); redraw(); })),
    found?.normal && sound(found.normal.id, `Its most alike normal sound, ${moment(found.normal.at_s)}${found.instead ? ", for the one before made room for others" : ""}:`,
      `Normal sound of ${ownerOf(alarm)}`, () => ask(first, true)),
    found && !found.normal && el("p", { class: "soft" }, "No normal sound of it is kept yet, to compare it with."));
}

// Normal sounds come and go while a page is open: with `instead`, the one shown turned out to be gone.
async function ask(clip, instead = false) {
  normals.set(clip, { ...normals.get(clip), at_ms: performance.now() });
  try {
    const { nearest } = await get(`/api/clips/${clip}/nearest`);
    normals.set(clip, { normal: nearest, instead, at_ms: performance.now() });
    if (instead) say(nearest ? "That sound made room for others: another normal sound is in its place" : "That sound made room for others");
    redraw();
  } catch { /* the clip is gone, or the connection, which the top of the page tells */ }
}

async function page() {
  const { alarms, history } = await get("/api/alarms");
  return {
    nodes: [
      el("h2", {}, alarms.length === 0 ? "No alarm stands" : alarms.length === 1 ? "1 alarm" : `${alarms.length} alarms`),
      el("div", { class: "row" }, el("label", { for: "operator" }, "Your name, for the audit log"),
        el("input", { id: "operator", value: operator(), maxlength: 64, autocomplete: "name", onchange: (event) => localStorage.setItem("operator", event.target.value.trim()) })),
      inOrder(alarms).map(panel),
      history.length > 0 && table("What happened, newest first", ["Time", "Machine", "What", "Now", "Who", "Text"], history.map((line, at) => ({
        key: `${line.at_s} ${line.machine} ${line.kind} ${line.fault} ${line.event} ${history.length - at}`,
        cells: [moment(line.at_s), line.machine + (line.fault ? ` (${line.fault.replaceAll("_", " ")})` : ""), (line.event || "").replaceAll("_", " "),
          tag(line.state, WORDS[line.state] || line.state), line.operator || "–", line.text],
      }))),
    ],
    wants: (_changes, touched) => touched,
  };
}

function count(alarms) {
  const waiting = alarms.filter((alarm) => alarm.state === "unacknowledged" || alarm.state === "returned_unacknowledged").length;
  const badge = document.getElementById("alarm-count");
  badge.hidden = waiting === 0;
  const [number, words] = badge.children;
  number.textContent = waiting || ""; words.textContent = waiting ? " not acknowledged" : "";
}

function announce(before, alarms) {
  const known = new Set(before.map((alarm) => keyOf(alarm) + alarm.state));
  const fresh = alarms.filter((alarm) => alarm.state === "unacknowledged" && !known.has(keyOf(alarm) + alarm.state));
  if (fresh.length) say(fresh.map((alarm) => `Alarm, ${time(alarm.raised_s || alarm.changed_s)}: ${alarm.text}`).join(" "));
}

function hear(alarms, state) {
  if (state.alarmsKnown) announce(state.alarms, alarms);
  state.alarms = alarms; state.alarmsKnown = true;
  count(alarms);
}

extend({
  name: "alarms", order: 1,
  page,
  async start(state) { hear((await get("/api/alarms")).alarms, state); },
  take(changes, state) {
    if (!changes.alarms) return false;
    hear(changes.alarms, state);
    return true;
  },
  forMachine(name, state) { return alarmsOf(name, state.alarms).map(panel); },
});
