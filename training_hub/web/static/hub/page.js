// What every page does: times, menu, players, charts, confirmations, what htmx could not do.

import { mountCharts } from "./chart.js";
import { mountPlayers } from "./player.js";
import { reasonIn } from "./net.js";
import { reach } from "./reach.js";
import { say } from "./say.js";
import { showTimes } from "./times.js";

addEventListener("resize", () => reach(document));

export function dress(root) {
  showTimes(root);
  reach(root);
  mountPlayers(root);
  mountCharts(root);
}

dress(document);
document.body.addEventListener("htmx:afterSettle", (event) => dress(event.detail.elt));
document.body.addEventListener("htmx:responseError", (event) => {
  const { responseText, status } = event.detail.xhr;
  say(reasonIn(responseText, status), { stays: true });
});
document.body.addEventListener("htmx:sendError", () => say("The hub cannot be reached; nothing was changed.", { stays: true }));

const button = document.getElementById("menu-button");
button?.addEventListener("click", () => {
  const open = document.getElementById("menu").classList.toggle("open");
  button.setAttribute("aria-expanded", String(open));
});

// a button with data-opens shows a dialog; one with data-closes in it closes it
document.body.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  event.target.closest("[data-closes]")?.closest("dialog").close();
});
document.body.addEventListener("change", (event) => {
  if (event.target.matches("form[data-submits] select")) event.target.form.requestSubmit();
});
