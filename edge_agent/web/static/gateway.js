// The gateway itself: parts, books, outbox, models, and what changed.
import { ago, bytes, el, get, moment, number, table, tag } from "./dom.js";

const EVERY_MS = 4000;

function counts(object) {
  return Object.entries(object).map(([reason, count]) => `${reason.replaceAll("_", " ")} ${count.toLocaleString()}`).join(", ") || "0";
}

function waiting(outbox) {
  const kinds = Object.entries(outbox.rows).filter(([, count]) => count);
  if (!kinds.length) return "nothing waits";
  return `waiting: ${counts(Object.fromEntries(kinds))}, ${bytes(outbox.payload_bytes)}, the oldest for ${ago(outbox.oldest_age_s)}`;
}

function told(what, reasons) {
  return Object.keys(reasons).length > 0 && el("p", {}, tag("suspect", what), ` ${counts(reasons)}.`);
}

function broker({ outbox, broker }) {
  return el("section", { class: "panel", "aria-label": "To the broker", key: "broker" }, el("h3", {}, "To the broker"), outbox
    ? [el("p", {}, tag(broker.connected ? "up" : "down", broker.connected ? "connected" : "not connected"), ` ${waiting(outbox)}.`),
      el("p", { class: "soft" }, `${broker.published.toLocaleString()} sent since the start.`),
      told("Given up for want of room", outbox.dropped), told("The disk refused", outbox.errors), told("The broker refused", broker.refused)]
    : el("p", {}, "Nothing is published: [mqtt] is off."));
}

function hub({ answers, last_success_s, trouble, ...hub }) {
  return el("section", { class: "panel", id: "hub", "aria-label": "To the hub", key: "hub" }, el("h3", {}, "To the hub"),
    el("p", {}, tag(answers ? "up" : "down", answers ? "answers" : "no answer"), answers ? "" : last_success_s ? ` since ${moment(last_success_s)}.` : " Not reached yet.",
      trouble && ` ${trouble}`),
    el("p", {}, `Clips: ${hub.clips.toLocaleString()} acknowledged since the start, ${hub.waiting.toLocaleString()} waiting (${bytes(hub.waiting_bytes)}), set aside ${counts(hub.aside)}.`),
    el("p", {}, `Events that the broker took: ${hub.events_waiting.toLocaleString()} to be asked for, ${hub.events_sent.toLocaleString()} that the hub had not got were sent.`));
}

export async function gatewayPage() {
  const { gateway } = await get("/api/gateway");
  const drawn_ms = performance.now();
  return {
    nodes: [
      el("h2", { "data-title": gateway.gateway }, gateway.gateway, " ", tag(gateway.state)),
      el("section", { class: "panel", "aria-label": "Versions" }, el("p", {},
        `Version ${gateway.version}, up for ${ago(gateway.now_s - gateway.started_s)}.`),
      el("p", {}, `Models: ${gateway.bundle.name} ${gateway.bundle.version} `, el("span", { class: "soft" }, `(SHA-256 ${gateway.bundle.sha256.slice(0, 12)}…)`)),
      el("p", {}, gateway.clock_synced ? "The clock is synchronised." : "The clock is not synchronised: times are marked so.")),
      table("Parts", ["Name", "Kind", "State", "Detail"],
        gateway.components.map((part) => ({ key: part.name, cells: [part.name, part.kind, tag(part.state), part.detail || "–"] }))),
      broker(gateway),
      gateway.hub && hub(gateway.hub),
      table("Samples: captured = scored + skipped + lost + pending", ["Source", "Channel", ["Captured"], ["Scored"], "Skipped", "Lost", ["Pending"], ["Unaccounted"]],
        gateway.ledgers.map((book) => ({
          key: `${book.source}/${book.channel}`,
          cells: [book.source, `${book.channel}`, book.captured.toLocaleString(), book.scored.toLocaleString(), counts(book.skipped), counts(book.lost), book.pending.toLocaleString(), book.unaccounted ? tag("error", number(book.unaccounted, 0)) : "0"],
        }))),
    ],
    wants: () => performance.now() - drawn_ms > EVERY_MS,
  };
}

export function logPage(state) {
  const { log } = state.overview;
  return {
    nodes: [
      el("h2", {}, "Log of changes"),
      log.length ? table("Newest first", ["Time", "Level", "What"], log.map((line) => ({
        key: `${line.at_s} ${line.text}`,
        cells: [moment(line.at_s), tag({ info: "quiet", warning: "suspect" }[line.level] || "error", line.level), line.text],
      }))) : el("p", {}, "Nothing has changed since the agent started."),
    ],
    wants: (changes) => Boolean(changes.log),
  };
}
