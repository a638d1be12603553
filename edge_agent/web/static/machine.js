// One machine: what it sounds like now, why, and how that came about.
import { drawScores, summary } from "./chart.js";
import { el, get, hertz, number, tag, time } from "./dom.js";
import { spectrogram } from "./spectrogram.js";

export async function machinePage(main, name, above, below) {
  const path = `/api/machines/${encodeURIComponent(name)}`;
  const [about, columns] = await Promise.all([get(path), get(`${path}/history`)]);
  const last = about.windows.find((window) => window.state !== "rejected") || about.windows[0];
  const canvas = el("canvas", { class: "scores", role: "img", "aria-label": summary(columns) });
  main.replaceChildren(...[
    el("h2", {}, name, " ", last && tag(last.state)),
    el("section", { class: "panel", "aria-label": "Now" },
      el("p", { class: "said" }, last ? last.why || "sounds normal" : "Nothing was heard yet."),
      last && el("p", { class: "soft" },
        `Score ${number(last.score)} of ${number(last.threshold)}`
        + (last.percentile === null ? "" : ` · more unusual than ${number(last.percentile, 1)} % of its normals`)
        + ` · level ${number(last.level_dbfs, 1, " dBFS")} · ${time(last.at_s)}`),
      last && last.findings.length > 0 && el("ul", {}, last.findings.map((finding) => el("li", {}, finding))),
      about.facts && el("p", { class: "soft" },
        `${about.facts.machine_type}${about.facts.source ? ` at ${about.facts.source}` : ""} · `
        + (about.facts.learnt || "nothing was learnt yet")
        + (about.facts.zone ? ` · health ${about.facts.zone}, ${number(100 * about.facts.health_index, 0)} %` : "")
        + (about.facts.trend_per_day === null ? "" : `, ${number(100 * about.facts.trend_per_day, 1)} % a day`))),
    ...above,
    el("section", { class: "panel", "aria-label": "Score" }, el("h3", {}, "Score and threshold"), canvas),
    el("div", { class: "two" },
      el("section", { class: "panel", "aria-label": "Spectrogram" }, el("h3", {}, "The last minute"), spectrogram(name, path)),
      el("section", { class: "panel", "aria-label": "Explanation" }, el("h3", {}, "What speaks for a fault"), explained(last))),
    ...below,
    windows(about.windows),
  ].filter(Boolean));
  drawScores(canvas, columns);
  return (card) => card.machine === name;
}

function explained(window) {
  if (!window || !window.bands.length) return el("p", { class: "soft" }, "There is nothing to explain yet.");
  const most = Math.max(...window.bands.map((band) => Math.abs(band.contribution)), 1e-9);
  const shown = [...window.bands].sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution)).slice(0, 8)
    .sort((a, b) => a.centre_hz - b.centre_hz);
  return [
    el("ul", { class: "bands" }, shown.map((band) => el("li", {},
      el("span", {}, hertz(band.centre_hz)),
      el("span", { class: "bar", "aria-hidden": "true" }, el("div", {
        class: band.contribution < 0 ? "less" : "", style: { left: "0", width: `${100 * Math.abs(band.contribution) / most}%` },
      })),
      el("span", {}, `${number(100 * band.contribution, 0)} %, ${band.change_db >= 0 ? "+" : ""}${number(band.change_db, 1)} dB`)))),
    el("p", { class: "soft" }, "Share of the score, and level against normal, by third octave."),
    el("p", {}, "By detector: ", window.detectors.filter((part) => part.share >= .01)
      .map((part) => `${part.name} ${number(100 * part.share, 0)} %`).join(", ") || "none"),
    window.nearest && el("p", { class: "soft" }, `Most alike of its normals: ${window.nearest.recording}.`),
  ];
}

function windows(list) {
  return el("section", { class: "panel wide", "aria-label": "Last windows", tabindex: "0" }, el("table", {},
    el("caption", {}, "Last windows, those that were not scored too"),
    el("thead", {}, el("tr", {}, ["Time", "What it said", "Score", "Level, dBFS", "Heard", "Sounds like", "Why"].map((title) => el("th", { scope: "col" }, title)))),
    el("tbody", {}, list.map((window) => el("tr", {},
      el("td", {}, time(window.at_s)), el("td", {}, tag(window.state)),
      el("td", { class: "number" }, number(window.score)), el("td", { class: "number" }, number(window.level_dbfs, 1)),
      el("td", { class: "number" }, `${number(100 * window.coverage, 0)} %`),
      el("td", {}, window.identity ? `${window.identity} (${number(100 * window.confidence, 0)} %)` : "–"),
      el("td", {}, window.findings[0] || window.why))))));
}
