// The stream of changes: it says at once when nothing comes any more, and comes back by itself.
import { logIn } from "./dom.js";

const SILENT_MS = 12000, AGAIN_MS = 3000; // the gateway says something every five seconds

let hurry = () => {};
document.addEventListener("visibilitychange", () => hurry());
window.addEventListener("online", () => hurry());

// Follows for ever. `refresh` fetches everything, once the stream is there; `take` gets what changes from then on; `tell`
// is told whether the page follows, or why not. Nothing is sent for a page that nobody sees.
export async function follow(refresh, take, tell) {
  for (;;) {
    if (document.hidden) { await new Promise((resolve) => { hurry = resolve; }); continue; }
    try {
      await once(refresh, take, tell);
    } catch (error) {
      if (!document.hidden) tell("lost", error.message);
    }
    if (!document.hidden) await new Promise((resolve) => { hurry = resolve; setTimeout(resolve, AGAIN_MS); });
  }
}

async function once(refresh, take, tell) {
  const control = new AbortController();
  hurry = () => { if (document.hidden) control.abort(new Error("this page was out of sight")); };
  let silent = 0;
  const heard = () => { clearTimeout(silent); silent = setTimeout(() => control.abort(new Error("the gateway says nothing")), SILENT_MS); };
  try {
    heard();
    const answer = await fetch("/api/live", { signal: control.signal });
    if (answer.status === 401) { logIn(); throw new Error("the token is asked for again"); }
    if (!answer.ok) { await asked(answer, refresh, tell); return; }
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "", following = false;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) throw new Error("the agent ended");
      heard();
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) {
        if (!event.startsWith("data: ")) continue;
        const changes = JSON.parse(event.slice(6));
        if (!following) { clearTimeout(silent); await refresh(); heard(); following = true; tell("live"); }
        take(changes);
      }
    }
  } catch (error) {
    throw control.signal.aborted ? control.signal.reason : error.name === "TypeError" ? new Error("the gateway cannot be reached") : error;
  } finally {
    clearTimeout(silent);
    control.abort();
  }
}

// There is no stream for this page, because too many follow already: then it asks.
async function asked(answer, refresh, tell) {
  const { error } = await answer.json().catch(() => ({}));
  await refresh();
  tell("asking", error || `the gateway refuses to be followed (${answer.status})`);
}
