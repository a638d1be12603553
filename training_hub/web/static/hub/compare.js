// The sensitivity slider, ROC and histograms of two bundles.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { alarmsPerWeek, area, histogram, outcome, roc } from "./detection.js";
import { reach } from "./reach.js";

const BINS = 40;
const holder = document.getElementById("compare");
const figures = JSON.parse(document.getElementById("scores").textContent);
const which = document.getElementById("which");
const slider = document.getElementById("factor");
const body = document.querySelector("#outcome tbody");
const titles = { new: holder.dataset.new, old: holder.dataset.old };
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const charts = {};

const chosen = (side) => (which.value === "" ? figures : [figures[Number(which.value)]]).map((one) => one[side]);
// half a step of the slider's range is a factor of two either way
const factor = () => 2 ** (-Number(slider.value) / 50);
const number = (id, least, most) => Math.min(most, Math.max(least, Number(document.getElementById(id).value) || least));

function tell() {
  const times = factor();
  const n = Math.round(number("n", 1, 12));
  const k = Math.min(n, Math.round(number("k", 1, 12)));
  const correlation = number("correlation", 0, 0.95);
  const said = times === 1 ? "as commissioned" : `thresholds times ${times.toFixed(2)}`;
  document.getElementById("said-factor").textContent = said;
  slider.setAttribute("aria-valuetext", said);
  body.replaceChildren(...["new", "old"].map((side) => {
    const given = outcome(chosen(side), times);
    const weekly = given.rates.map((rate) => alarmsPerWeek(rate, correlation, k, n));
    const mean = weekly.length ? weekly.reduce((sum, value) => sum + value, 0) / weekly.length : NaN;
    const share = (part, rest) => part + rest ? `${(100 * part / (part + rest)).toFixed(1)} %` : "–";
    const row = document.createElement("tr");
    row.dataset.side = side;
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = titles[side];
    row.append(head);
    const cells = [given.found, given.missed, given.false, given.right, share(given.found, given.missed), share(given.false, given.right), Number.isNaN(mean) ? "–" : mean < 0.01 ? "under 0.01" : mean.toFixed(2)];
    for (const value of cells) Object.assign(row.insertCell(), { className: "n", textContent: value });
    row.dataset.weekly = mean;
    return row;
  }));
  for (const side of ["new", "old"]) charts[side]?.redraw();
}

function axes(x, y) {
  const one = { stroke: css("--soft"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line") }, font: "12px system-ui", labelFont: "12px system-ui", labelSize: 18 };
  return [{ ...one, label: x }, { ...one, label: y, size: 46 }];
}

function drawRoc() {
  charts.roc?.destroy();
  const lines = ["new", "old"].map((side) => {
    const parts = chosen(side);
    const line = roc(parts.flatMap((one) => scaled(one, "normal")), parts.flatMap((one) => scaled(one, "anomalous")));
    return { line, side };
  }).filter(({ line }) => line[0].length > 1 && !Number.isNaN(line[0].at(-1)) && !Number.isNaN(line[1].at(-1)));
  const place = document.getElementById("roc");
  const xs = [...new Set(lines.flatMap(({ line }) => line[0]))].sort((a, b) => a - b);
  const at = ([found, hits], x) => { let best = 0; found.forEach((value, step) => { if (value <= x) best = hits[step]; }); return best; };
  charts.roc = new uPlot({
    width: place.clientWidth, height: 240, scales: { x: { time: false, range: [0, 1] }, y: { range: [0, 1] } }, axes: axes("normal above", "anomalous above"),
    series: [{ label: "Normal above", value: (_, v) => v == null ? "–" : v.toFixed(3) }, ...lines.map(({ line, side }) => ({ label: `${titles[side]}, AUC ${area(line).toFixed(3)}`, stroke: css(side === "new" ? "--series-1" : "--series-2"), width: 1.6, points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }), value: (_, v) => v == null ? "–" : v.toFixed(3) }))],
  }, [xs, ...lines.map(({ line }) => xs.map((x) => at(line, x)))], place);
}

// several machines share an axis in units of their own thresholds
const scaled = (one, kind) => which.value === "" ? one[kind].map((score) => score / (one.threshold || 1)) : one[kind];

function drawHistogram(side) {
  charts[side]?.destroy();
  const parts = chosen(side);
  const normal = parts.flatMap((one) => scaled(one, "normal"));
  const odd = parts.flatMap((one) => scaled(one, "anomalous"));
  const all = [...normal, ...odd];
  const [low, high] = all.length ? [Math.min(...all), Math.max(...all)] : [0, 1];
  const middles = Array.from({ length: BINS }, (_, bin) => low + (bin + 0.5) * (high - low) / BINS);
  const place = document.getElementById(`histogram-${side}`);
  const bars = uPlot.paths.bars({ size: [0.95] });
  charts[side] = new uPlot({
    width: place.clientWidth, height: 240, scales: { x: { time: false, range: [low, high || 1] } }, axes: axes(which.value === "" ? "score, own thresholds" : "score", "share"),
    series: [{ label: "Score", value: (_, v) => v == null ? "–" : v.toFixed(2) }, { label: "Normal", stroke: css("--series-1"), fill: `${css("--series-1")}55`, paths: bars, points: { show: false } }, { label: "Anomalous", stroke: css("--series-2"), fill: `${css("--series-2")}55`, paths: bars, points: { show: false } }],
    hooks: { draw: [(chart) => {
      const threshold = which.value === "" ? 1 : parts[0].threshold;
      if (threshold == null) return;
      const x = chart.valToPos(threshold * factor(), "x", true);
      if (x < chart.bbox.left || x > chart.bbox.left + chart.bbox.width) return;
      chart.ctx.save();
      chart.ctx.strokeStyle = css("--bad");
      chart.ctx.lineWidth = 2 * (devicePixelRatio || 1);
      chart.ctx.beginPath();
      chart.ctx.moveTo(x, chart.bbox.top);
      chart.ctx.lineTo(x, chart.bbox.top + chart.bbox.height);
      chart.ctx.stroke();
      chart.ctx.restore();
    }] },
  }, [middles, histogram(normal, low, high, BINS), histogram(odd, low, high, BINS)], place);
}

function draw() {
  drawRoc();
  drawHistogram("new");
  drawHistogram("old");
  tell();
  reach(document);
}

slider.addEventListener("input", tell);
for (const id of ["k", "n", "correlation"]) document.getElementById(id).addEventListener("input", tell);
which.addEventListener("change", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
let width = holder.clientWidth;
new ResizeObserver(() => { if (Math.abs(holder.clientWidth - width) > 4) { width = holder.clientWidth; draw(); } }).observe(holder);
draw();
holder.dataset.ready = "yes";
