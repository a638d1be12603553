// Small helpers: elements without markup in strings, so that nothing heard or named can become code.
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [name, set] of Object.entries(value)) element.style.setProperty(name, set);
    else element.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(9)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

export async function get(path) {
  const answer = await fetch(path);
  if (answer.status === 401) { location.assign("/login"); throw new Error("log in"); }
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error || `${answer.status}`);
  return answer.json();
}

export async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error || `${answer.status}`);
  return said;
}

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
  return value === null || value === undefined ? "–" : `${value.toFixed(digits)}${unit}`;
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
