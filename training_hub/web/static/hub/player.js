// A sound with its wave and spectrogram. The hub's picture is there at once; wavesurfer follows when the sound is wanted.

import WaveSurfer from "../vendor/wavesurfer/wavesurfer.esm.js";
import Spectrogram from "../vendor/wavesurfer/spectrogram.esm.js";

const players = new Map();
const style = () => getComputedStyle(document.documentElement);

export function mountPlayers(root) {
  for (const [element, player] of players) {
    if (!element.isConnected) { player.destroy(); players.delete(element); }
  }
  for (const element of root.querySelectorAll(".player[data-sound]")) {
    if (!players.has(element)) players.set(element, new Player(element));
  }
}

export function playerOf(element) {
  return players.get(element);
}

class Player {
  constructor(element) {
    this.element = element;
    this.button = element.querySelector("button[data-play]");
    this.clock = element.querySelector("[data-clock]");
    this.button.addEventListener("click", () => this.toggle());
    // not at once: who moves through a list does not want every sound
    this.later = setTimeout(() => this.prepare(), Number(element.dataset.after ?? 250));
  }

  prepare() {
    clearTimeout(this.later);
    if (this.wave || !this.element.isConnected) return;
    const colours = style();
    const holder = this.element.querySelector(".spectrogram");
    this.wave = WaveSurfer.create({
      container: this.element.querySelector(".wave"),
      url: this.element.dataset.sound,
      height: 44,
      sampleRate: 16000,
      waveColor: colours.getPropertyValue("--edge").trim(),
      progressColor: colours.getPropertyValue("--accent").trim(),
      cursorColor: colours.getPropertyValue("--bad").trim(),
      normalize: true,
      cspNonce: document.body.dataset.nonce,
      plugins: [Spectrogram.create({
        container: holder, height: 120, fftSamples: 512, scale: "mel", frequencyMax: 8000, colorMap: "roseus", autoGain: true, rangeDB: 60,
      })],
    });
    this.wave.on("ready", () => { this.element.dataset.ready = "yes"; this.tick(0); });
    this.wave.on("timeupdate", (at) => this.tick(at));
    this.wave.on("play", () => this.shows(true));
    this.wave.on("pause", () => this.shows(false));
    this.wave.on("finish", () => this.shows(false));
    this.wave.on("error", () => this.failed());
    holder.querySelector("img")?.remove();
  }

  async toggle() {
    this.prepare();
    for (const other of players.values()) if (other !== this) other.wave?.pause();
    await this.wave.playPause().catch(() => this.failed());
  }

  shows(playing) {
    this.button.setAttribute("aria-pressed", String(playing));
    this.button.textContent = playing ? "Pause" : "Play";
  }

  tick(at) {
    this.clock.textContent = `${at.toFixed(1)} s of ${this.wave.getDuration().toFixed(1)} s`;
  }

  failed() {
    this.clock.textContent = "this sound cannot be played here";
  }

  destroy() {
    clearTimeout(this.later);
    this.wave?.destroy();
  }
}
