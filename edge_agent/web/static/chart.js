// Score against threshold over time, with the state of each window as a band of colour below.
const CODES = ["normal", "suspect", "alarm", "input_fault", "uncommissioned", "unknown", "rejected"];
const TOKENS = {
  normal: "--normal", suspect: "--suspect", alarm: "--alarm", input_fault: "--fault", uncommissioned: "--quiet",
  unknown: "--fault", rejected: "--quiet",
};

export function drawScores(canvas, columns) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = 200;
  canvas.width = width * ratio; canvas.height = height * ratio; canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const left = 38, right = width - 6, top = 8, bottom = height - 34;
  const times = columns.at_s;
  pen.font = "12px system-ui, sans-serif";
  pen.fillStyle = colour("--soft");
  if (!times.length) { pen.fillText("No window yet.", left, 40); return; }
  const first = times[0], last = Math.max(times[times.length - 1], first + 60);
  const values = [...columns.score, ...columns.threshold].filter((value) => value !== null);
  const highest = Math.max(1, ...values) * 1.08;
  const x = (at) => left + (right - left) * (at - first) / (last - first);
  const y = (value) => bottom - (bottom - top) * value / highest;
  pen.strokeStyle = colour("--line"); pen.lineWidth = 1;
  for (let tick = 0; tick <= 3; tick++) {
    const value = highest * tick / 3;
    pen.beginPath(); pen.moveTo(left, y(value)); pen.lineTo(right, y(value)); pen.stroke();
    pen.textAlign = "right"; pen.fillText(value.toFixed(1), left - 5, y(value) + 4);
  }
  line(pen, times, columns.threshold, x, y, colour("--alarm"), [5, 4]);
  line(pen, times, columns.score, x, y, colour("--accent"), []);
  const wide = Math.max(1, (right - left) / Math.max(times.length, 1));
  columns.state.forEach((code, index) => {
    pen.fillStyle = colour(TOKENS[CODES[code]]);
    pen.fillRect(x(times[index]) - wide, bottom + 6, wide, 8);
  });
  pen.fillStyle = colour("--soft");
  pen.textAlign = "left"; pen.fillText(new Date(first * 1000).toLocaleTimeString(), left, height - 4);
  pen.textAlign = "right"; pen.fillText(new Date(last * 1000).toLocaleTimeString(), right, height - 4);
}

function line(pen, times, values, x, y, colour, dash) {
  pen.strokeStyle = colour; pen.lineWidth = 1.8; pen.setLineDash(dash); pen.beginPath();
  let down = false;
  values.forEach((value, index) => {
    if (value === null) { down = false; return; }
    if (down) pen.lineTo(x(times[index]), y(value)); else pen.moveTo(x(times[index]), y(value));
    down = true;
  });
  pen.stroke(); pen.setLineDash([]);
}

export function summary(columns) {
  const scores = columns.score.filter((value) => value !== null);
  if (!scores.length) return "Score over time: no score yet.";
  const above = columns.score.filter((value, index) => value !== null && value >= columns.threshold[index]).length;
  return `Score over time: ${scores.length} windows, last ${scores[scores.length - 1].toFixed(2)}, `
    + `highest ${Math.max(...scores).toFixed(2)}, ${above} above the threshold.`;
}
