// The spectrogram of one machine: its last minute, moving as frames are computed.
import { el, hertz, number } from "./dom.js";

const BANDS = 128, COLUMNS = 1875, SPAN = 149; // 60 s of frames; 70 dB of levels, 255 of which are 120 dB
const STOPS = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]]; // "inferno", as in the pictures of clips
const MISSING = 0xff4b4239; // grey: not heard, or not shown

const COLOURS = Uint32Array.from({ length: 256 }, (_, index) => {
  const at = index / 255 * (STOPS.length - 1), low = Math.min(Math.floor(at), STOPS.length - 2);
  const [red, green, blue] = STOPS[low].map((value, part) => Math.round(value + (at - low) * (STOPS[low + 1][part] - value)));
  return 0xff000000 | blue << 16 | green << 8 | red;
});

class Spectrogram {
  constructor(name, path) {
    this.name = name; this.path = path;
    this.levels = new Uint8Array(COLUMNS * BANDS);
    this.here = new Uint8Array(COLUMNS);
    this.next = null; this.stream = null; this.live = false;
    this.paused = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.canvas = el("canvas", { class: "spectrogram", width: COLUMNS, height: BANDS, role: "img",
      "aria-label": `Spectrogram of the last minute of ${name}, 0 to 8 kHz, low at the bottom; grey is what was not heard or not shown` });
    this.button = el("button", { type: "button", onclick: () => { this.paused = !this.paused; this.follow(); } });
    this.note = el("span", { class: "soft" });
    const along = (...texts) => texts.map((text) => el("span", {}, text));
    this.element = el("div", {},
      el("div", { class: "picture" }, el("div", { class: "axis-up", "aria-hidden": "true" }, along("8 kHz", "1.7 kHz", "0")), this.canvas),
      el("div", { class: "axis-along", "aria-hidden": "true" }, along("1 min ago", "now")), el("div", { class: "row" }, this.button, this.note));
    this.refresh().then(() => this.follow());
  }

  async refresh() {
    const answer = await fetch(`${this.path}/frames`).catch(() => null);
    if (!answer || !answer.ok) return;
    const levels = new Uint8Array(await answer.arrayBuffer());
    this.here.fill(0); this.next = null;
    this.push(levels.subarray(Math.max(0, levels.length - COLUMNS * BANDS)));
    this.draw();
  }

  // What matters of the picture, in words.
  explain(window) {
    const louder = (window ? window.bands : []).filter((band) => band.contribution > .1).sort((a, b) => b.contribution - a.contribution).slice(0, 3)
      .map((band) => `${hertz(band.centre_hz)} (${band.change_db >= 0 ? "+" : ""}${number(band.change_db, 1)} dB)`);
    const odd = !window ? "nothing was heard yet" : louder.length && window.state !== "normal" ? `unlike normal around ${louder.join(", ")}` : window.score === null ? "it was not compared with anything" : "nothing stands out against normal";
    this.canvas.setAttribute("aria-label", `Spectrogram of the last minute of ${this.name}, 0 to 8 kHz, low at the bottom: ${odd}. Grey is what was not heard or not shown.`);
  }

  // Opens or closes the stream: nothing is sent, and nothing prepared, for a page that nobody sees.
  follow() {
    const wanted = !this.paused && !document.hidden && shown === this;
    if (this.stream && this.stream.readyState === EventSource.CLOSED) this.stream = null; // it was refused; try again
    if (wanted && !this.stream) {
      this.stream = new EventSource(`${this.path}/frames/live`);
      this.stream.onopen = () => this.say(true);
      this.stream.onerror = () => this.say(false);
      this.stream.onmessage = (event) => this.take(JSON.parse(event.data));
    } else if (!wanted && this.stream) { this.stream.close(); this.stream = null; this.live = false; }
    this.say(this.live);
  }

  say(live) {
    this.live = live;
    this.button.textContent = this.paused ? "Go on" : "Pause";
    this.button.setAttribute("aria-label", this.paused ? "Go on with the spectrogram" : "Pause the spectrogram");
    this.note.textContent = live ? "live" : this.paused ? "still, new at the end of each window" : "new at the end of each window";
  }

  take(groups) {
    for (const { first, levels } of groups) {
      const bytes = Uint8Array.from(atob(levels), (letter) => letter.charCodeAt(0));
      // a hole is shown as one; after the first picture, or a stream that began anew, nobody knows how long it was
      const hole = this.next === null || first < this.next ? 4 : first - this.next;
      if (hole) this.shift(Math.min(hole, COLUMNS), 0);
      this.push(bytes);
      this.next = first + bytes.length / BANDS;
    }
    this.draw();
  }

  push(bytes) { this.shift(bytes.length / BANDS, 1); this.levels.set(bytes, this.levels.length - bytes.length); }

  shift(columns, here) {
    this.levels.copyWithin(0, columns * BANDS);
    this.here.copyWithin(0, columns); this.here.fill(here, COLUMNS - columns);
  }

  draw() {
    let top = 0;
    for (let column = 0; column < COLUMNS; column++) {
      if (!this.here[column]) continue;
      for (let at = column * BANDS; at < (column + 1) * BANDS; at++) if (this.levels[at] > top) top = this.levels[at];
    }
    const pixels = new Uint32Array(COLUMNS * BANDS), floor = top - SPAN;
    for (let column = 0; column < COLUMNS; column++) {
      for (let band = 0; band < BANDS; band++) {
        const level = Math.max(0, this.levels[column * BANDS + band] - floor);
        pixels[(BANDS - 1 - band) * COLUMNS + column] = this.here[column] ? COLOURS[Math.min(255, Math.round(level * 255 / SPAN))] : MISSING;
      }
    }
    this.canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), COLUMNS, BANDS), 0, 0);
  }
}

let shown = null;

// The one spectrogram that is looked at; the page around it may be drawn anew.
export function spectrogram(name, path) {
  if (shown && shown.name === name) {
    if (!shown.live) shown.refresh().then(() => shown?.follow());
  } else {
    leave();
    shown = new Spectrogram(name, path);
  }
  return shown;
}

function leave() { const former = shown; shown = null; if (former) former.follow(); }

document.addEventListener("visibilitychange", () => { if (shown) { if (!document.hidden) shown.refresh(); shown.follow(); } });
window.addEventListener("hashchange", () => { if (shown && location.hash !== `#/machine/${encodeURIComponent(shown.name)}`) leave(); });
