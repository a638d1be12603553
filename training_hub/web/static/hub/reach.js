// What can be scrolled must be reachable without a pointer, and only then be a stop.

export function reach(root) {
  for (const element of root.querySelectorAll(".scroll")) {
    const scrolls = element.scrollWidth > element.clientWidth;
    if (scrolls) element.tabIndex = 0; else element.removeAttribute("tabindex");
    if (scrolls) element.setAttribute("role", "group"); else element.removeAttribute("role");
    if (scrolls) element.setAttribute("aria-label", element.querySelector("caption")?.textContent ?? "Table"); else element.removeAttribute("aria-label");
  }
}
