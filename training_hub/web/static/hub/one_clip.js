// One clip on its own page: its labels.

import { formOf, send } from "./net.js";
import { say } from "./say.js";

const clip = location.pathname.split("/").pop();

async function label(word) {
  try {
    await send("/clips/labels", formOf([["clip", clip], ["label", word]]));
    location.reload();
  } catch (error) { say(error.message, { stays: true }); }
}

document.getElementById("one").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-label]");
  if (button) void label(button.dataset.label);
});
document.getElementById("one").addEventListener("submit", (event) => {
  event.preventDefault();
  const word = new FormData(event.target).get("label").trim();
  if (word) void label(word);
});
