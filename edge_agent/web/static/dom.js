// Small helpers: elements without markup in strings, so that nothing heard or named can become code.
const HANDLERS = ["onclick", "onchange", "onclose", "onerror"];
const OWN_CONTENT = /^(AUDIO|CANVAS|SELECT|INPUT)$/; // what a person or a script does in them is theirs

export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element[key] = value;
    else if (key === "style") for (const [name, set] of Object.entries(value)) element.style.setProperty(name, set);
    else if (key === "key") element.dataset.key = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...shownOf(children));
  return element;
}

function shownOf(children) { return children.flat(9).filter((child) => child !== null && child !== undefined && child !== false); }

// Stands for an element that lives longer than one drawing of the page around it.
export function hold(element) {
  const place = document.createElement("span");
  element.isLive = true; place.live = element;
  return place;
}

// Makes an element hold these nodes with as few changes as can be: what stays the same keeps focus, typing and sound, a
// screen reader's place in it, and is not read out again. Nodes with a `key` are known again wherever they move.
export function show(parent, ...nodes) {
  const focused = document.activeElement;
  patch(parent, shownOf(nodes).map((node) => (node instanceof Node ? node : document.createTextNode(node))));
  if (focused !== document.activeElement && focused?.isConnected && parent.contains(focused)) focused.focus({ preventScroll: true });
}

function keyOf(node) { return node.nodeType === Node.ELEMENT_NODE ? node.dataset.key : undefined; }

function patch(parent, places) {
  const wanted = places.map((place) => place.live || place);
  const keys = new Set(wanted.map(keyOf)), kept = new Set(wanted), keyed = new Map();
  for (const child of [...parent.childNodes]) {
    const key = keyOf(child);
    if ((key !== undefined && !keys.has(key)) || (child.isLive && !kept.has(child))) child.remove();
    else if (key !== undefined) keyed.set(key, child);
  }
  let at = parent.firstChild;
  for (const node of wanted) {
    const match = matching(parent, node, at, keyed);
    if (match === null) { parent.insertBefore(node, at); continue; }
    if (match === at) at = at.nextSibling; else parent.insertBefore(match, at);
    if (match !== node) update(match, node);
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

function matching(parent, node, at, keyed) {
  if (node.parentNode === parent) return node;
  if (node.isLive) return null;
  const key = keyOf(node);
  if (key !== undefined) {
    const match = keyed.get(key);
    keyed.delete(key);
    return match && match.nodeName === node.nodeName ? match : null;
  }
  return at && !at.isLive && keyOf(at) === undefined && at.nodeName === node.nodeName ? at : null;
}

function update(old, wanted) {
  if (old.nodeType !== Node.ELEMENT_NODE) { if (old.data !== wanted.data) old.data = wanted.data; return; }
  const ours = (name) => !(name === "open" && old.nodeName === "DETAILS");
  for (const { name, value } of wanted.attributes) {
    if (old.getAttribute(name) === value || !ours(name)) continue;
    if (name === "style") old.style.cssText = value; else old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) if (!wanted.hasAttribute(name) && ours(name)) old.removeAttribute(name);
  for (const handler of HANDLERS) old[handler] = wanted[handler];
  if (!OWN_CONTENT.test(old.nodeName)) patch(old, [...wanted.childNodes]);
}

// A table that becomes a list of cards on a phone; it stays a table to a screen reader there, which the roles are for.
export function table(caption, titles, rows) {
  const number = (at) => (Array.isArray(titles[at]) ? "number" : "");
  const title = (at) => (Array.isArray(titles[at]) ? titles[at][0] : titles[at]);
  return el("section", { class: "panel wide", tabindex: "0", role: "region", "aria-label": caption },
    el("table", { role: "table" }, el("caption", {}, caption),
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, titles.map((_, at) => el("th", { scope: "col", role: "columnheader", class: number(at) }, title(at))))),
      el("tbody", { role: "rowgroup" }, rows.map(({ key, cells }) => el("tr", { role: "row", key },
        cells.map((cell, at) => el("td", { role: "cell", class: number(at), "data-title": title(at) }, cell)))))));
}

// Plays a clip. An audio element does not tell why it is silent: `gone` is called where the clip is not kept any more.
export function player(clip, name, gone) {
  const src = `/api/clips/${clip}/audio`;
  const failed = async () => { if ((await fetch(src, { method: "HEAD" }).catch(() => null))?.status === 404) gone(); };
  return el("audio", { controls: true, preload: "none", src, "aria-label": name, onerror: failed });
}

async function ask(path, wait_ms, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, signal: AbortSignal.timeout(wait_ms) });
  } catch (error) {
    throw new Error(error.name === "TimeoutError" ? "the gateway did not answer in time" : "the gateway cannot be reached");
  }
  if (answer.status === 401) { logIn(); throw new Error("the token is asked for again"); }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error || `the gateway refuses it (${answer.status})`);
  return said;
}

export function get(path) { return ask(path, 20000); }

// Longer: what is learnt is computed meanwhile.
export function post(path, body) {
  return ask(path, 180000, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

export function logIn() { location.assign(`/login${location.hash}`); }

export function say(text) { document.getElementById("said").textContent = text; }

const STATE_WORDS = {
  normal: "normal", suspect: "odd", alarm: "alarm", input_fault: "microphone unfit",
  uncommissioned: "not learnt yet", unknown: "unknown machine", rejected: "not scored",
};
export function words(state) { return STATE_WORDS[state] || String(state).replaceAll("_", " "); }
export function tag(state, text) { return el("span", { class: `tag ${state}` }, text || words(state)); }
export function time(seconds) { return new Date(seconds * 1000).toLocaleTimeString(); }
export function moment(seconds) { return new Date(seconds * 1000).toLocaleString(); }
export function number(value, digits = 2, unit = "") {
  return value === null || value === undefined ? "–" : `${(+value.toFixed(digits) + 0).toFixed(digits).replace("-", "−")}${unit}`;
}
export function hertz(value) {
  return value < 1000 ? `${Math.round(value)} Hz` : `${+(value / 1000).toPrecision(3)} kHz`;
}
export function ago(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}
export function bytes(value) {
  for (const [size, unit] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) if (value >= size) return `${(value / size).toFixed(1)} ${unit}`;
  return `${value} B`;
}
