// The map: a canvas of points, one of which is chosen by pointer, arrow keys or the list.

import { dress } from "./page.js";
import { load, parsed } from "./net.js";
import { say } from "./say.js";

const SHAPES = 4;
const SERIES = 6;
const LISTED = 200;
const EDGE = 18;
const NOTHING = "none";

const holder = document.getElementById("map");
const canvas = document.getElementById("plane");
const colour = document.getElementById("colour");
const group = document.getElementById("group");
let points;
let groups = [];
let place = [];
let chosen = -1;
let hovered = -1;

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const groupOf = (at) => points[colour.value][at] ?? NOTHING;

export function fit(xs, ys, width, height, edge) {
  const low = [Math.min(...xs), Math.min(...ys)];
  const high = [Math.max(...xs), Math.max(...ys)];
  const scale = Math.min((width - 2 * edge) / (high[0] - low[0] || 1), (height - 2 * edge) / (high[1] - low[1] || 1));
  const start = [(width - scale * (high[0] - low[0])) / 2, (height - scale * (high[1] - low[1])) / 2];
  return xs.map((x, at) => [start[0] + scale * (x - low[0]), height - start[1] - scale * (ys[at] - low[1])]);
}

function shape(pen, kind, x, y, size) {
  pen.beginPath();
  if (kind === 0) pen.arc(x, y, size, 0, 7);
  else if (kind === 1) pen.rect(x - size, y - size, 2 * size, 2 * size);
  else if (kind === 2) { pen.moveTo(x, y - size * 1.3); pen.lineTo(x + size * 1.2, y + size); pen.lineTo(x - size * 1.2, y + size); pen.closePath(); }
  else { pen.moveTo(x, y - size * 1.4); pen.lineTo(x + size * 1.4, y); pen.lineTo(x, y + size * 1.4); pen.lineTo(x - size * 1.4, y); pen.closePath(); }
}

const look = (rank) => ({ fill: css(`--series-${rank % SERIES + 1}`), kind: Math.floor(rank / SERIES) % SHAPES });

function draw() {
  const ratio = devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  place = fit(points.x, points.y, width, height, EDGE);
  const looks = groups.map((_, rank) => look(rank));
  const ranks = new Map(groups.map((name, rank) => [name, rank]));
  const size = points.ids.length > 2000 ? 2.2 : 4;
  pen.globalAlpha = 0.75;
  points.ids.forEach((_, at) => {
    const { fill, kind } = looks[ranks.get(groupOf(at))];
    pen.fillStyle = fill;
    shape(pen, kind, ...place[at], size);
    pen.fill();
  });
  pen.globalAlpha = 1;
  for (const [at, width2] of [[hovered, 1.5], [chosen, 3]]) {
    if (at < 0) continue;
    pen.strokeStyle = css("--ink");
    pen.lineWidth = width2;
    shape(pen, 0, ...place[at], size + 4);
    pen.stroke();
  }
}

function legend() {
  const counts = new Map();
  points.ids.forEach((_, at) => counts.set(groupOf(at), (counts.get(groupOf(at)) ?? 0) + 1));
  groups = [...counts.keys()].sort((one, other) => one.localeCompare(other, undefined, { numeric: true }));
  const items = groups.map((name, rank) => {
    const item = document.createElement("li");
    const mark = document.createElement("canvas");
    mark.width = mark.height = 14;
    const pen = mark.getContext("2d");
    const { fill, kind } = look(rank);
    pen.fillStyle = fill;
    shape(pen, kind, 7, 7, 4);
    pen.fill();
    item.append(mark, ` ${name.replaceAll("_", " ")} (${counts.get(name)})`);
    return item;
  });
  document.getElementById("legend").replaceChildren(...items);
  group.replaceChildren(...groups.map((name) => new Option(name, name)));
  list();
}

function list() {
  const body = document.getElementById("list");
  const rows = [];
  for (let at = 0; at < points.ids.length && rows.length < LISTED; at += 1) {
    if (groupOf(at) !== group.value) continue;
    const row = document.createElement("tr");
    const hear = document.createElement("button");
    hear.type = "button";
    hear.textContent = "Hear";
    hear.dataset.at = at;
    row.insertCell().append(hear);
    for (const word of [points.machine[at], points.label[at], points.verdict[at]]) row.insertCell().textContent = word ?? "–";
    rows.push(row);
  }
  body.replaceChildren(...rows);
}

async function choose(at, { hear = true } = {}) {
  chosen = at;
  draw();
  document.getElementById("map-said").textContent = `${points.machine[at]}, ${points.label[at] ?? "not labelled"}, ${points.verdict[at] ?? "no verdict"}`;
  if (!hear) return;
  try {
    const panel = document.getElementById("panel");
    panel.replaceChildren(parsed(await load(`/clips/${points.ids[at]}/panel`)));
    dress(panel);
    panel.querySelector("[data-play]")?.click();
  } catch (error) { say(error.message, { stays: true }); }
}

function nearest(event) {
  const box = canvas.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  let best = -1;
  let least = 20 ** 2;
  place.forEach(([px, py], at) => {
    const far = (px - x) ** 2 + (py - y) ** 2;
    if (far < least) { least = far; best = at; }
  });
  return best;
}

// the nearest point within 45 degrees of the arrow
function towards(dx, dy) {
  if (chosen < 0) return 0;
  const [x, y] = place[chosen];
  let best = chosen;
  let least = Infinity;
  place.forEach(([px, py], at) => {
    const along = (px - x) * dx + (py - y) * dy;
    const across = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
    if (at === chosen || along <= 0.01 || across > along) return;
    if (along + across < least) { least = along + across; best = at; }
  });
  return best;
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

async function begin() {
  try {
    points = await load(holder.dataset.points, { as: "json" });
  } catch (error) {
    document.getElementById("map-said").textContent = error.message;
    return;
  }
  document.getElementById("map-said").textContent = `${points.ids.length.toLocaleString()} clips. ${points.said}.`;
  legend();
  draw();
  holder.dataset.ready = "yes";
  canvas.addEventListener("pointermove", (event) => { const at = nearest(event); if (at !== hovered) { hovered = at; canvas.title = at < 0 ? "" : `${points.machine[at]}, ${points.label[at] ?? "not labelled"}`; draw(); } });
  canvas.addEventListener("click", (event) => { const at = nearest(event); if (at >= 0) void choose(at); });
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && chosen >= 0) void choose(chosen);
    else if (ARROWS[event.key]) { event.preventDefault(); void choose(towards(...ARROWS[event.key]), { hear: false }); }
  });
  colour.addEventListener("change", () => { legend(); draw(); });
  group.addEventListener("change", list);
  document.getElementById("list").addEventListener("click", (event) => { const at = event.target.dataset.at; if (at) void choose(Number(at)); });
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { legend(); draw(); });
}

if (holder) void begin();
