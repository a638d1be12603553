// The list of machines: those that need somebody first.
import { el, number, tag } from "./dom.js";
import { standingWord } from "./standing.js";

const ORDER = ["alarm", "down", "input_fault", "suspect", "unknown", "rejected", "uncommissioned", "quiet", "normal"];
const COUNTED = { alarm: "in alarm", down: "not heard", input_fault: "with an unfit microphone", suspect: "odd" };

// Why nothing is heard of a machine now, where that is so: its last window says nothing any more.
export function silence(facts, parts) {
  const source = facts && facts.source && parts.find((part) => part.kind === "source" && part.name === facts.source);
  return source && source.state === "down" ? `Nothing is heard of it: source ${source.name} is down${source.detail ? ` (${source.detail})` : ""}.` : null;
}

function stateOf(each, parts) {
  if (silence(each.facts, parts)) return "down";
  return each.last ? each.last.state : "quiet";
}

// What its last window said; an alarm outlasts the first windows that sound normal again.
export function heard(last) {
  const said = last.why || "sounds normal";
  return last.state === "alarm" && last.score !== null && last.score < last.threshold ? `Still in alarm. Its last window: ${said}` : said;
}

function scoreBar(last) {
  const share = Math.min(1, last.score / (2 * last.threshold));
  return el("div", { class: "meter score", "aria-hidden": "true" }, el("div", { style: { width: `${100 * share}%` } }));
}

function card(each, state) {
  const { last, facts } = each, now = stateOf(each, state.parts), silent = silence(facts, state.parts), stands = standingWord(each.machine, state.alarms);
  const scored = last && last.score !== null && last.threshold;
  return el("li", { key: each.machine }, el("a", { class: `card ${now}`, href: `#/machine/${encodeURIComponent(each.machine)}` },
    el("strong", {}, each.machine), " ", tag(now, { down: "not heard", quiet: "not heard yet" }[now]), stands && [" ", stands],
    silent && el("p", {}, silent),
    !silent && el("p", {}, !last ? "Waiting for the first window." : now === "uncommissioned" ? "Nothing was learnt of it yet. Open it to commission it." : heard(last)),
    !silent && scored && scoreBar(last),
    !silent && last && el("p", {}, [scored && `score ${number(last.score)} of ${number(last.threshold)}`, `level ${number(last.level_dbfs, 0, " dBFS")}`].filter(Boolean).join(" · "))));
}

export function machinesPage(state) {
  const { machines } = state.overview, parts = state.parts;
  const rank = new Map(machines.map((each) => [each, ORDER.indexOf(stateOf(each, parts))]));
  const sorted = [...machines].sort((a, b) => rank.get(a) - rank.get(b) || a.machine.localeCompare(b.machine, undefined, { numeric: true }));
  const counts = Object.entries(COUNTED).map(([kind, word]) => [machines.filter((each) => stateOf(each, parts) === kind).length, word]).filter(([count]) => count);
  const wrong = parts.filter((part) => part.kind !== "source" && (part.state === "down" || part.state === "degraded"));
  const all = machines.length === 1 ? "1 machine" : `${machines.length} machines`;
  return {
    nodes: [
      el("h2", {}, counts.length ? `${all}: ${counts.map(([count, word]) => `${count} ${word}`).join(", ")}` : all),
      wrong.length > 0 && el("p", { class: "trouble" }, el("strong", {}, "The gateway itself: "),
        wrong.map((part) => `${part.name} is ${part.state}${part.detail ? ` (${part.detail})` : ""}`).join("; "), ". ", el("a", { href: "#/gateway" }, "See the gateway")),
      machines.length === 0 && el("p", {}, "No machine is configured. Add a [[machine]] and a [[source]] to the configuration, and reload."),
      el("ul", { class: "cards" }, sorted.map((each) => card(each, state))),
    ],
    wants: (changes, touched) => Boolean(changes.machines || changes.parts || changes.facts || touched),
  };
}
