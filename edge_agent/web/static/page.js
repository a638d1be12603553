// The page: routes by the part after '#', and one stream of changes.
import { el, get, say, show, time, words } from "./dom.js";
import { gatewayPage, logPage } from "./gateway.js";
import { follow } from "./link.js";
import { machinePage } from "./machine.js";
import { machinesPage } from "./machines.js";

const main = document.getElementById("main");
const state = { overview: null, parts: [], alarms: [], now_s: null };
const extensions = [];
let turn = 0, wants = () => false, drawing = false, again = false;

export function extend(extension) { extensions.push(extension); }

function partsOf(name, below) {
  return extensions.filter((each) => each.forMachine && Boolean(each.below) === below).flatMap((each) => each.forMachine(name, state));
}

// A page is `nodes`, what it `wants` to be drawn anew for, and what is done `after` it is there.
async function pageOf(parts) {
  const extension = extensions.find((each) => each.name === parts[0] && each.page);
  if (extension) return extension.page(parts, state);
  if (parts[0] === "machine") return machinePage(parts[1] || "", state, () => partsOf(parts[1], false), () => partsOf(parts[1], true));
  if (parts[0] === "gateway") return gatewayPage();
  if (parts[0] === "log") return logPage(state);
  return machinesPage(state);
}

function wanted() {
  return location.hash.replace(/^#\/?/, "").split("/").map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
}

async function route(moved = false) {
  const mine = ++turn, parts = wanted(), place = parts.join("/"), other = main.dataset.place !== place;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#/${parts[0] === "machine" ? "" : parts[0]}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const slow = setTimeout(() => { if (mine === turn && other) { main.dataset.place = ""; main.replaceChildren(el("p", {}, "Loading.")); } }, 400);
  let page;
  try {
    page = await pageOf(parts);
  } catch (error) {
    if (!other) return; // what is shown stays, and the top of the page says that it is old
    page = { nodes: [el("h2", {}, "This cannot be shown"), el("p", { role: "alert" }, `${error.message[0].toUpperCase()}${error.message.slice(1)}.`)], wants: () => true };
  } finally { clearTimeout(slow); }
  if (mine !== turn) return;
  if (main.dataset.place !== place) { main.replaceChildren(); main.dataset.place = place; if (moved) scrollTo(0, 0); }
  show(main, ...page.nodes);
  wants = page.wants || (() => false);
  page.after?.();
  const where = main.querySelector("h2");
  document.title = `${where ? `${where.dataset.title || where.textContent} – ` : ""}Machine sound: ${state.overview.gateway.gateway}`;
  if (moved) main.focus();
}

// One drawing at a time; what changes meanwhile is drawn after it.
export async function redraw() {
  if (drawing) { again = true; return; }
  drawing = true;
  try { do { again = false; await route(); } while (again); } finally { drawing = false; }
}

function take(changes) {
  if (changes.now_s) state.now_s = changes.now_s;
  if (changes.parts) state.parts = changes.parts;
  for (const last of changes.machines || []) {
    const known = state.overview.machines.find((each) => each.machine === last.machine);
    const before = known && known.last ? known.last.state : null;
    if (known) known.last = last; else state.overview.machines.push({ machine: last.machine, facts: null, last });
    if (last.state !== before && (last.state === "alarm" || before === "alarm")) say(`${last.machine}: ${words(last.state)}`);
  }
  for (const facts of changes.facts || []) {
    const known = state.overview.machines.find((each) => each.machine === facts.machine);
    if (known) known.facts = facts; else state.overview.machines.push({ machine: facts.machine, facts, last: null });
  }
  if (changes.log) state.overview.log = [...changes.log, ...state.overview.log].filter((line, at, all) => all.findIndex((other) => other.at_s === line.at_s && other.text === line.text) === at).slice(0, 300);
  let touched = false;
  for (const extension of extensions) if (extension.take && extension.take(changes, state)) touched = true;
  if (wants(changes, touched)) redraw();
}

async function refresh() {
  state.overview = await get("/api/overview");
  const { gateway } = state.overview;
  state.parts = gateway.components; state.now_s = gateway.now_s;
  document.getElementById("place").textContent = `${gateway.site} / ${gateway.gateway}`;
  for (const extension of extensions) {
    try { await extension.start?.(state); } catch { /* what fails there is told where it is looked at; the rest is shown */ }
  }
  await redraw();
}

function tell(how, why) {
  document.getElementById("link").textContent = how === "live" ? "live" : how === "asking" ? "not live" : "no connection";
  const old = document.getElementById("old");
  if (how === "live") { old.hidden = true; show(old); return; }
  const since = state.now_s ? `This is from ${time(state.now_s)}, and old` : "Nothing can be shown";
  const text = how === "asking" ? `This page is drawn anew every few seconds only: ${why}.` : `${since}: ${why}. Trying again.`;
  old.hidden = false;
  if (old.dataset.how !== how || !old.textContent || how === "asking") show(old, text); // read out once
  old.dataset.how = how;
}

// Pages of their own register themselves before the first one is drawn.
Promise.all(["./alarms.js", "./commission.js", "./clips.js"].map((name) => import(name))).then(() => {
  extensions.sort((a, b) => a.order - b.order);
  window.addEventListener("hashchange", () => { if (state.overview) route(true); });
  follow(refresh, take, tell);
}).catch(() => { main.replaceChildren(el("p", { role: "alert" }, "The page could not be loaded whole: reload it.")); });
