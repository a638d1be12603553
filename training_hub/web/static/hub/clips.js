// The clips' table by keyboard: j/k move, space plays, n normal, a anomalous, 1-9 faults, u takes back.

import { dress } from "./page.js";
import { formOf, load, parsed, send } from "./net.js";
import { playerOf } from "./player.js";
import { say } from "./say.js";

const bench = document.getElementById("bench");
const panel = document.getElementById("panel");
const undone = [];
let asked;

const rows = () => [...bench.querySelectorAll("tr[data-clip]")];
const current = () => bench.querySelector("tr.current");
const ticked = () => rows().filter((row) => row.querySelector("input[name=clip]")?.checked);
const chosen = () => { const found = ticked(); return found.length ? found : [current()].filter(Boolean); };
const wide = () => matchMedia("(min-width: 68.01rem)").matches;

export function choose(row, { focus = true } = {}) {
  if (!row) return;
  for (const other of rows()) { other.classList.remove("current"); other.removeAttribute("aria-current"); }
  row.classList.add("current");
  row.setAttribute("aria-current", "true");
  if (focus) row.querySelector("a[data-open]").focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
  void showPanel(row.dataset.clip);
}

async function showPanel(clip, { anew = false } = {}) {
  asked?.abort();
  if (!anew && panel.querySelector(`[data-shown="${clip}"]`)) return;
  asked = new AbortController();
  try {
    const html = await load(`/clips/${clip}/panel`, { signal: asked.signal });
    panel.replaceChildren(parsed(html));
    dress(panel);
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, { stays: true });
  }
}

async function move(by) {
  const all = rows();
  const place = all.indexOf(current()) + by;
  const more = document.getElementById("more");
  if (place >= all.length && more) {
    more.click();
    await new Promise((done) => document.body.addEventListener("htmx:afterSettle", done, { once: true }));
    choose(rows()[place]);
    return;
  }
  choose(all[Math.max(0, Math.min(place, all.length - 1))]);
}

async function label(targets, word, { remember = true } = {}) {
  if (!targets.length || !bench.dataset.may) return;
  const before = targets.map((row) => [row.dataset.clip, row.dataset.label]);
  try {
    const html = await send("/clips/labels", formOf([...before.map(([id]) => ["clip", id]), ["label", word]]));
    replaceRows(html);
    if (remember) undone.push(before);
    say(`${targets.length === 1 ? "One clip" : `${targets.length} clips`}: ${word || "no label"}`);
    return true;
  } catch (error) {
    say(error.message, { stays: true });
    return false;
  }
}

async function takeBack() {
  const last = undone.pop();
  if (!last) { say("There is nothing to take back."); return; }
  const byWord = Map.groupBy ? Map.groupBy(last, ([, word]) => word) : grouped(last);
  for (const [word, clips] of byWord) {
    const html = await send("/clips/labels", formOf([...clips.map(([id]) => ["clip", id]), ["label", word]]));
    replaceRows(html);
  }
  say(`Taken back: ${last.length === 1 ? "one clip" : `${last.length} clips`}.`);
  choose(document.getElementById(`clip-${last[0][0]}`));
}

function grouped(pairs) {
  const found = new Map();
  for (const pair of pairs) found.set(pair[1], [...found.get(pair[1]) ?? [], pair]);
  return found;
}

function replaceRows(html) {
  const now = current()?.dataset.clip;
  for (const fresh of parsed(html).querySelectorAll("tr[data-clip]")) {
    const old = document.getElementById(fresh.id);
    if (!old) continue;
    const box = old.querySelector("input[name=clip]");
    const held = old.contains(document.activeElement);
    const wasTicked = box?.checked;
    old.replaceWith(fresh);
    dress(fresh);
    window.htmx?.process(fresh);
    if (wasTicked && fresh.querySelector("input[name=clip]")) fresh.querySelector("input[name=clip]").checked = true;
    if (fresh.dataset.clip === now) {
      fresh.classList.add("current");
      fresh.setAttribute("aria-current", "true");
      if (held) fresh.querySelector("a[data-open]").focus({ preventScroll: true });
      void showPanel(now, { anew: true });
    }
  }
}

async function labelAndGoOn(word) {
  const many = ticked().length > 0;
  if (await label(chosen(), word) && !many) await move(1);
}

function play(which) {
  const found = panel.querySelectorAll(".player[data-sound]")[which];
  if (found) playerOf(found)?.toggle();
}

const keys = {
  j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1),
  " ": () => play(0), b: () => play(1), u: takeBack,
  n: () => labelAndGoOn("normal"), a: () => labelAndGoOn("anomalous"),
  x: () => { const box = current()?.querySelector("input[name=clip]"); if (box) { box.checked = !box.checked; counted(); } },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !keysOn()) return;
  const typing = event.target.closest("input:not([type=checkbox]), select, textarea, dialog");
  if (typing) return;
  if (event.key === " " && event.target.closest("button, summary, input")) return;
  const fault = /^[1-9]$/.test(event.key) ? panel.querySelector(`[data-key="${event.key}"]`) : null;
  const act = fault ? () => labelAndGoOn(fault.dataset.label) : keys[event.key];
  if (!act) return;
  event.preventDefault();
  void act();
});

const toggle = document.getElementById("keys-on");
const keysOn = () => toggle.checked;
toggle.checked = localStorage.getItem("clips.keys") !== "off";
toggle.addEventListener("change", () => localStorage.setItem("clips.keys", toggle.checked ? "on" : "off"));

bench.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-clip]");
  if (!row || event.ctrlKey || event.metaKey) return;
  if (event.target.closest("a[data-open]")) {
    if (!wide()) return;
    event.preventDefault();
    choose(row);
  } else if (!event.target.closest("a, button, input, label")) choose(row, { focus: false });
});
panel.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-label]");
  if (button) void label([document.getElementById(`clip-${panel.querySelector("[data-shown]").dataset.shown}`)].filter(Boolean), button.dataset.label);
});
panel.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-other]")) return;
  event.preventDefault();
  const word = new FormData(event.target).get("label").trim();
  if (word) void label(chosen(), word);
});

const bulk = document.getElementById("bulk");
export function counted() {
  if (!bulk) return;
  const count = ticked().length;
  bulk.hidden = count === 0;
  document.getElementById("bulk-count").textContent = `${count} ticked`;
}
bench.addEventListener("change", (event) => {
  if (event.target.id === "tick-all") for (const row of rows()) { const box = row.querySelector("input[name=clip]"); if (box) box.checked = event.target.checked; }
  if (event.target.matches("input[type=checkbox]")) counted();
});
bulk?.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-does]");
  if (!button) return;
  const targets = ticked();
  if (button.dataset.does === "label") {
    const word = document.getElementById("bulk-label").value.trim();
    if (word) await label(targets, word);
    return;
  }
  try {
    const pairs = [...targets.map((row) => ["clip", row.dataset.clip])];
    if (button.dataset.does === "move") pairs.push(["dataset", document.getElementById("bulk-dataset").value]);
    replaceRows(await send(`/clips/${button.dataset.does}`, formOf(pairs)));
    say(`${targets.length === 1 ? "One clip" : `${targets.length} clips`}: ${button.dataset.said}.`);
  } catch (error) { say(error.message, { stays: true }); }
});

const wanted = new URLSearchParams(location.search).get("clip");
const first = (wanted && document.getElementById(`clip-${wanted}`)) || rows()[0];
if (first && wide()) choose(first, { focus: false });
