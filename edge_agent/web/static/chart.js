// Score against threshold over time, the state of each window as a band of colour below, and the level.
import { el, number, show, tag } from "./dom.js";

const CODES = ["normal", "suspect", "alarm", "input_fault", "uncommissioned", "unknown", "rejected"];
const TOKENS = {
  normal: "--normal", suspect: "--suspect", alarm: "--alarm", input_fault: "--fault", uncommissioned: "--quiet",
  unknown: "--fault", rejected: "--line",
};
const HEIGHT = 270, SCORE_BOTTOM = 160, STATE_TOP = 168, LEVEL_TOP = 192, LEVEL_BOTTOM = 244, LEFT = 44;
const dark = matchMedia("(prefers-color-scheme: dark)");

class Chart {
  constructor(name) {
    this.name = name; this.columns = null;
    this.canvas = el("canvas", { class: "scores", role: "img", "aria-label": "Score over time" });
    this.legend = el("p", { class: "soft legend" });
    this.element = el("div", {}, this.canvas, this.legend);
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  take(columns) {
    this.columns = columns;
    this.canvas.setAttribute("aria-label", summary(columns));
    const states = [...new Set(columns.state)].map((code) => [tag(CODES[code]), " "]);
    show(this.legend, el("span", { class: "key score" }), " score ", el("span", { class: "key threshold" }), " threshold; state of each window: ", states, "; below, its level in dBFS");
    this.draw();
  }

  draw() {
    const ratio = window.devicePixelRatio || 1, width = this.canvas.clientWidth;
    if (!this.columns || !width) return;
    this.canvas.width = width * ratio; this.canvas.height = HEIGHT * ratio; this.canvas.style.height = `${HEIGHT}px`;
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    paint(pen, width, this.columns);
  }
}

function paint(pen, width, columns) {
  const style = getComputedStyle(document.documentElement), colour = (name) => style.getPropertyValue(name).trim();
  const right = width - 8, top = 8, times = columns.at_s;
  pen.font = "12px system-ui, sans-serif";
  pen.fillStyle = colour("--soft");
  if (!times.length) { pen.fillText("No window yet.", LEFT, 40); return; }
  const step = usual(times), first = times[0] - step, last = Math.max(times[times.length - 1], first + 60);
  const x = (at) => LEFT + (right - LEFT) * (at - first) / (last - first);
  const scale = (values, bottom, top, low, high) => (value) => bottom - (bottom - top) * (value - low) / (high - low || 1);
  const values = [...columns.score, ...columns.threshold].filter((value) => value !== null), highest = Math.max(1, ...values) * 1.08;
  const y = scale(values, SCORE_BOTTOM, top, 0, highest);
  for (let tick = 0; tick <= 3; tick++) rule(pen, colour, right, y(highest * tick / 3), (highest * tick / 3).toFixed(1));
  const levels = columns.level_dbfs.filter((value) => value !== null);
  const quietest = Math.floor(Math.min(...levels, -1) - 3), loudest = Math.ceil(Math.max(...levels, quietest) + 3), z = scale(levels, LEVEL_BOTTOM, LEVEL_TOP, quietest, loudest);
  if (levels.length) for (const level of [quietest, loudest]) rule(pen, colour, right, z(level), `${level}`.replace("-", "−"));
  const gap = 2.5 * step;
  line(pen, times, columns.threshold, x, y, colour("--alarm"), [5, 4], gap);
  line(pen, times, columns.score, x, y, colour("--accent"), [], gap);
  line(pen, times, columns.level_dbfs, x, z, colour("--soft"), [], gap);
  columns.state.forEach((code, index) => {
    pen.fillStyle = colour(TOKENS[CODES[code]]);
    const from = x(Math.max(times[index] - step, index ? times[index - 1] : first));
    pen.fillRect(from, STATE_TOP, Math.max(1, x(times[index]) - from), 8);
  });
  const short = { hour: "2-digit", minute: "2-digit", second: last - first < 600 ? "2-digit" : undefined };
  const clock = (at) => new Date(at * 1000).toLocaleTimeString([], short);
  pen.fillStyle = colour("--soft");
  pen.textAlign = "left"; pen.fillText(clock(times[0]), LEFT, HEIGHT - 6);
  pen.textAlign = "right"; pen.fillText(clock(times[times.length - 1]), right, HEIGHT - 6);
}

// From one window's end to the next, as a rule.
function usual(times) {
  const steps = times.slice(1).map((at, index) => at - times[index]).filter((step) => step > 0).sort((a, b) => a - b);
  return steps.length ? steps[Math.floor(steps.length / 2)] : 10;
}

function rule(pen, colour, right, y, text) {
  pen.strokeStyle = colour("--line"); pen.lineWidth = 1; pen.fillStyle = colour("--soft");
  pen.beginPath(); pen.moveTo(LEFT, y); pen.lineTo(right, y); pen.stroke();
  pen.textAlign = "right"; pen.fillText(text, LEFT - 5, y + 4);
}

// A line through the values; where none came for longer than `gap` it is broken: nobody knows what was between.
function line(pen, times, values, x, y, colour, dash, gap) {
  pen.strokeStyle = pen.fillStyle = colour; pen.lineWidth = 1.8; pen.setLineDash(dash); pen.beginPath();
  let before = null;
  values.forEach((value, index) => {
    if (value === null) { before = null; return; }
    const at = times[index], joined = before !== null && at - before <= gap;
    if (joined) pen.lineTo(x(at), y(value)); else pen.moveTo(x(at), y(value));
    const alone = !joined && (values[index + 1] ?? null) === null;
    if (alone) pen.fillRect(x(at) - 1.5, y(value) - 1.5, 3, 3);
    before = at;
  });
  pen.stroke(); pen.setLineDash([]);
}

function summary(columns) {
  const scores = columns.score.filter((value) => value !== null);
  if (!scores.length) return `Score over time: no score yet, ${columns.at_s.length} windows.`;
  const above = columns.score.filter((value, index) => value !== null && value >= columns.threshold[index]).length;
  return `Score over time: ${scores.length} windows, last ${number(scores[scores.length - 1])}, `
    + `highest ${number(Math.max(...scores))}, ${above} above the threshold.`;
}

let shown = null;
dark.addEventListener("change", () => shown?.draw());

// The one chart that is looked at; the page around it may be drawn anew.
export function chart(name) {
  if (!shown || shown.name !== name) shown = new Chart(name);
  return shown;
}
