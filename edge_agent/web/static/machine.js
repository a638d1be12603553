// One machine: what it sounds like now, why, and how that came about.
import { chart } from "./chart.js";
import { el, get, hertz, hold, number, table, tag, time } from "./dom.js";
import { heard, silence } from "./machines.js";
import { redraw } from "./page.js";
import { spectrogram } from "./spectrogram.js";

const FEW = 10;
let all = null; // the machine whose windows are all shown

export async function machinePage(name, state, above, below) {
  const path = `/api/machines/${encodeURIComponent(name)}`;
  const [about, columns] = await Promise.all([get(path), get(`${path}/history`)]);
  const newest = about.windows[0], last = about.windows.find((window) => window.state !== "rejected") || newest;
  const silent = silence(about.facts, state.parts), scores = chart(name), picture = spectrogram(name, path);
  return {
    nodes: [
      el("h2", { "data-title": name }, name, " ", silent ? tag("down", "not heard") : last && tag(last.state)),
      now(about.facts, silent, last, newest),
      above(),
      el("section", { class: "panel", "aria-label": "Score", key: `score ${name}` }, el("h3", {}, "Score against threshold, state and level"), hold(scores.element)),
      el("div", { class: "two" },
        el("section", { class: "panel", "aria-label": "Spectrogram", key: `picture ${name}` }, el("h3", {}, "The last minute"), hold(picture.element)),
        el("section", { class: "panel", "aria-label": "Explanation" }, el("h3", {}, "What speaks for a fault"), explained(last))),
      below(),
      windows(name, about.windows),
    ],
    after() { scores.take(columns); picture.explain(last); },
    wants: (changes, touched) => touched || Boolean(changes.parts || changes.facts) || (changes.machines || []).some((card) => card.machine === name),
  };
}

function now(facts, silent, last, newest) {
  return el("section", { class: "panel", "aria-label": "Now" },
    silent && el("p", { class: "said" }, silent),
    el("p", { class: silent ? "soft" : "said" }, silent && last && `At ${time(last.at_s)}, the last time it was heard: `, !last ? "Nothing was heard yet." : last.state === "uncommissioned" ? "Nothing was learnt of it yet. Commission it below." : heard(last)),
    !silent && newest && newest !== last && el("p", {}, tag("rejected"), ` The window of ${time(newest.at_s)} was not scored: ${newest.why}.`),
    last && el("p", { class: "soft" }, [
      last.score !== null && `Score ${number(last.score)} of ${number(last.threshold)}`,
      last.percentile !== null && `more unusual than ${number(last.percentile, last.percentile > 99 && last.percentile < 100 ? 1 : 0)} % of its normals`,
      time(last.at_s)].filter(Boolean).join(" · ")),
    last && el("p", {}, `Input level ${number(last.level_dbfs, 1, " dBFS")}`),
    last && last.level_dbfs !== null && !silent && el("div", { class: "meter", "aria-hidden": "true" },
      el("div", { style: { width: `${100 * Math.max(0, Math.min(1, (last.level_dbfs + 80) / 80))}%` } })),
    last && last.findings.length > 0 && el("ul", {}, last.findings.map((finding) => el("li", {}, finding))),
    facts && el("p", { class: "soft" }, `${facts.machine_type}${facts.source ? ` at ${facts.source}` : ""} · ${facts.learnt || "nothing was learnt yet"}`));
}

function explained(window) {
  if (!window || !window.bands.length) return el("p", { class: "soft" }, "There is nothing to explain yet.");
  const most = Math.max(...window.bands.map((band) => Math.abs(band.contribution)), 1e-9);
  const reach = window.threshold ? Math.min(1, window.score / window.threshold) : 1; // a normal window's bars are short
  const shown = [...window.bands].sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution)).slice(0, 8)
    .sort((a, b) => a.centre_hz - b.centre_hz);
  return [
    el("p", { class: "soft" }, "By third octave: share of the score, and level against normal. The nearer the score is to its threshold, the longer the bars."),
    el("ul", { class: "bands" }, shown.map((band) => el("li", {},
      el("span", {}, hertz(band.centre_hz)),
      el("span", { class: "bar", "aria-hidden": "true" }, el("div", {
        class: band.contribution < 0 ? "less" : "", style: { left: "0", width: `${100 * reach * Math.abs(band.contribution) / most}%` },
      })),
      el("span", {}, `${number(100 * band.contribution, 0)} %, ${band.change_db >= 0 ? "+" : ""}${number(band.change_db, 1)} dB`)))),
    el("p", {}, "By detector: ", window.detectors.filter((part) => part.share >= .01)
      .map((part) => `${part.name} ${number(100 * part.share, 0)} %`).join(", ") || "none"),
    window.nearest && el("p", { class: "soft" }, `Most alike of its normals: ${window.nearest.recording}.`),
  ];
}

function windows(name, list) {
  const shown = all === name ? list : list.slice(0, FEW);
  return [windowTable(shown), shown.length < list.length && el("p", {}, el("button", { type: "button", onclick: () => { all = name; redraw(); } }, `Show all ${list.length} windows`))];
}

function windowTable(list) {
  return table("Last windows, those that were not scored too", ["Time", "What it said", ["Score"], ["Level, dBFS"], ["Heard"], "Sounds like", "Why"],
    list.map((window) => ({
      key: `${window.source}/${window.channel}/${window.index}/${window.at_s}`,
      cells: [time(window.at_s), tag(window.state), number(window.score), number(window.level_dbfs, 1), `${number(100 * window.coverage, 0)} %`,
        window.identity ? `${window.identity} (${number(100 * window.confidence, 0)} %)` : "–", window.findings[0] || window.why],
    })));
}
