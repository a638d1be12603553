// The page: routes by the part after '#', and one stream of changes.
import { ago, bytes, el, get, moment, number, say, tag, words } from "./dom.js";
import { machinePage } from "./machine.js";

const main = document.getElementById("main");
const state = { overview: null, wants: () => false, alarms: [] };
const extensions = [];

export function extend(extension) { extensions.push(extension); }

function card(each) {
  const last = each.last;
  const share = last && last.score !== null && last.threshold ? Math.min(1, last.score / (2 * last.threshold)) : 0;
  return el("li", {}, el("a", { class: `card ${last ? last.state : ""}`, href: `#/machine/${encodeURIComponent(each.machine)}` },
    el("strong", {}, each.machine), " ", tag(last ? last.state : "quiet", last ? null : "not heard yet"),
    el("p", {}, last ? last.why || "sounds normal" : "Waiting for the first window."),
    last && last.score !== null && el("div", { class: "meter", "aria-hidden": "true" }, el("div", { style: { width: `${100 * share}%` } })),
    last && el("p", {}, `score ${number(last.score)} of ${number(last.threshold)} · ${number(last.level_dbfs, 1, " dBFS")}`)));
}

function machinesPage() {
  const order = ["alarm", "input_fault", "suspect", "unknown", "uncommissioned", "rejected", "normal"];
  const rank = (each) => { const at = order.indexOf(each.last ? each.last.state : "uncommissioned"); return at < 0 ? 9 : at; };
  const sorted = [...state.overview.machines].sort((a, b) => rank(a) - rank(b) || a.machine.localeCompare(b.machine));
  const odd = sorted.filter((each) => each.last && each.last.state === "alarm").length;
  main.replaceChildren(
    el("h2", {}, odd ? `${odd} of ${sorted.length} machines in alarm` : `${sorted.length} machines`),
    el("ul", { class: "cards" }, sorted.map(card)));
  return () => true;
}

async function gatewayPage() {
  const { gateway } = await get("/api/gateway");
  const outbox = gateway.outbox;
  const rows = (object) => Object.entries(object).map(([reason, count]) => `${reason.replaceAll("_", " ")} ${count.toLocaleString()}`).join(", ") || "0";
  main.replaceChildren(
    el("h2", {}, gateway.gateway, " ", tag(gateway.state)),
    el("section", { class: "panel" }, el("p", {},
      `Version ${gateway.version}, up for ${ago(gateway.now_s - gateway.started_s)}, models ${gateway.bundle.name} ${gateway.bundle.version} `,
      el("span", { class: "soft" }, `(${gateway.bundle.sha256.slice(0, 12)})`)),
      el("p", {}, gateway.clock_synced ? "The clock is synchronised." : "The clock is not synchronised: times are marked so.")),
    el("section", { class: "panel wide", tabindex: "0" }, el("table", {}, el("caption", {}, "Parts"),
      el("thead", {}, el("tr", {}, ["Name", "Kind", "State", "Detail"].map((title) => el("th", { scope: "col" }, title)))),
      el("tbody", {}, gateway.components.map((part) => el("tr", {}, el("td", {}, part.name), el("td", {}, part.kind), el("td", {}, tag(part.state)), el("td", {}, part.detail)))))),
    el("section", { class: "panel wide", tabindex: "0" }, el("table", {}, el("caption", {}, "Samples: captured = scored + skipped + lost + pending"),
      el("thead", {}, el("tr", {}, ["Source", "Channel", "Captured", "Scored", "Skipped", "Lost", "Pending", "Unaccounted"].map((title, at) => el("th", { scope: "col", class: at > 1 ? "number" : "" }, title)))),
      el("tbody", {}, gateway.ledgers.map((book) => el("tr", {}, el("td", {}, book.source), el("td", {}, `${book.channel}`),
        [book.captured, book.scored].map((count) => el("td", { class: "number" }, count.toLocaleString())),
        el("td", { class: "number" }, rows(book.skipped)), el("td", { class: "number" }, rows(book.lost)),
        el("td", { class: "number" }, book.pending.toLocaleString()), el("td", { class: "number" }, `${book.unaccounted}`)))))),
    el("section", { class: "panel" }, el("h3", {}, "To the broker"), outbox
      ? el("p", {}, `${gateway.broker.connected ? "Connected" : "Not connected"}; waiting: ${rows(outbox.rows)} events, ${bytes(outbox.payload_bytes)}, oldest ${ago(outbox.oldest_age_s)}; sent ${gateway.broker.published.toLocaleString()}.`)
      : el("p", {}, "Nothing is published: [mqtt] is off.")),
    gateway.hub && el("section", { class: "panel", id: "hub" }, el("h3", {}, "To the hub"),
      el("p", {}, gateway.hub.answers ? "The hub answers." : gateway.hub.last_success_s ? `No answer since ${moment(gateway.hub.last_success_s)}.` : "Not reached yet.",
        gateway.hub.trouble && ` ${gateway.hub.trouble}`),
      el("p", {}, `Clips: ${gateway.hub.clips.toLocaleString()} acknowledged since the start, ${gateway.hub.waiting.toLocaleString()} waiting (${bytes(gateway.hub.waiting_bytes)}), set aside ${rows(gateway.hub.aside)}.`),
      el("p", {}, `Events that the broker took: ${gateway.hub.events_waiting.toLocaleString()} to be asked for, ${gateway.hub.events_sent.toLocaleString()} that the hub had not got were sent.`)));
  return () => false;
}

function logPage() {
  main.replaceChildren(el("h2", {}, "Log of changes"), el("section", { class: "panel wide", tabindex: "0" }, el("table", {},
    el("caption", {}, "Newest first"),
    el("thead", {}, el("tr", {}, ["Time", "Level", "What"].map((title) => el("th", { scope: "col" }, title)))),
    el("tbody", {}, state.overview.log.map((line) => el("tr", {}, el("td", {}, moment(line.at_s)), el("td", {}, tag(line.level === "info" ? "quiet" : line.level === "warning" ? "suspect" : "error", line.level)), el("td", {}, line.text)))))));
  return () => false;
}

function partsOf(name, below) {
  return extensions.filter((each) => each.forMachine && Boolean(each.below) === below).flatMap((each) => each.forMachine(name, state));
}

async function route(moved = false) {
  const parts = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#/${parts[0] === "machine" ? "" : parts[0]}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    const extension = extensions.find((each) => each.name === parts[0]);
    if (extension) state.wants = await extension.page(main, parts, state);
    else if (parts[0] === "machine") state.wants = await machinePage(main, parts[1], partsOf(parts[1], false), partsOf(parts[1], true));
    else if (parts[0] === "gateway") state.wants = await gatewayPage();
    else if (parts[0] === "log") state.wants = logPage();
    else state.wants = machinesPage();
  } catch (error) {
    main.replaceChildren(el("p", { role: "alert" }, `This cannot be shown: ${error.message}`));
  }
  if (moved) main.focus();
}

function take(changes) {
  for (const last of changes.machines || []) {
    const known = state.overview.machines.find((each) => each.machine === last.machine);
    const before = known && known.last ? known.last.state : null;
    if (known) known.last = last; else state.overview.machines.push({ machine: last.machine, facts: null, last });
    if (last.state !== before && (last.state === "alarm" || before === "alarm")) say(`${last.machine}: ${words(last.state)}`);
  }
  if (changes.log) state.overview.log = [...changes.log, ...state.overview.log].filter((line, at, all) => all.findIndex((other) => other.at_s === line.at_s && other.text === line.text) === at).slice(0, 300);
  let touched = false;
  for (const extension of extensions) if (extension.take && extension.take(changes, state)) touched = true;
  const typing = main.contains(document.activeElement) && /INPUT|SELECT|TEXTAREA|AUDIO/.test(document.activeElement.tagName);
  const shown = location.hash.startsWith("#/alarms") || location.hash.startsWith("#/machine/");
  if (!typing && ((touched && shown) || (changes.machines || []).some(state.wants))) redraw();
}

// What is drawn anew keeps the place of the keyboard.
function redraw() {
  const at = [...main.querySelectorAll("a, button, [tabindex]")].indexOf(document.activeElement);
  Promise.resolve(route()).then(() => { if (at >= 0) [...main.querySelectorAll("a, button, [tabindex]")][at]?.focus(); });
}

async function start() {
  state.overview = await get("/api/overview");
  const { gateway } = state.overview;
  document.getElementById("place").textContent = `${gateway.site} / ${gateway.gateway}`;
  document.title = `Machine sound: ${gateway.gateway}`;
  for (const extension of extensions) if (extension.start) await extension.start(state);
  await route();
  const link = document.getElementById("link");
  const stream = new EventSource("/api/live");
  stream.onopen = () => { link.textContent = "live"; };
  stream.onerror = () => { link.textContent = "no connection, trying again"; };
  stream.onmessage = (event) => take(JSON.parse(event.data));
  window.addEventListener("hashchange", () => route(true));
}

// Pages of their own register themselves before the first one is drawn.
Promise.all(["./alarms.js", "./commission.js", "./clips.js"].map((name) => import(name))).then(start).catch((error) => { main.replaceChildren(el("p", { role: "alert" }, `The agent does not answer: ${error.message}`)); });
