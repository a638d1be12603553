// One line at the bottom of the page, read out by screen readers.

let later;

export function say(text, { stays = false } = {}) {
  const place = document.getElementById("said");
  place.textContent = text;
  clearTimeout(later);
  if (!stays) later = setTimeout(() => { place.textContent = ""; }, 6000);
}
