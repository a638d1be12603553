// Requests that change something: they carry the visit's token, and say in words why they failed.

export class Refused extends Error {}

export async function send(path, body, { as = "text" } = {}) {
  const answer = await fetch(path, {
    method: "POST",
    body,
    headers: { "X-CSRF-Token": document.body.dataset.csrf, Accept: as === "json" ? "application/json" : "text/html" },
    credentials: "same-origin",
  }).catch(() => { throw new Refused("The hub cannot be reached; nothing was changed."); });
  if (!answer.ok) throw new Refused(await reason(answer));
  return as === "json" ? answer.json() : answer.text();
}

export async function load(path, { as = "text", signal } = {}) {
  const answer = await fetch(path, { credentials: "same-origin", signal });
  if (!answer.ok) throw new Refused(await reason(answer));
  return as === "json" ? answer.json() : answer.text();
}

export async function reason(answer) {
  return reasonIn(await answer.text(), answer.status);
}

export function reasonIn(text, status) {
  try {
    const found = JSON.parse(text);
    if (typeof found.detail === "string") return found.detail;
    if (Array.isArray(found.detail)) return found.detail.map((flaw) => `${flaw.loc.at(-1)}: ${flaw.msg}`).join("; ");
  } catch { /* not JSON: a page */ }
  const page = new DOMParser().parseFromString(text, "text/html");
  const said = page.querySelector("[data-reason]")?.textContent.trim();
  return said || `The hub answered ${status}; nothing was changed.`;
}

export function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

export const formOf = (pairs) => {
  const form = new URLSearchParams();
  for (const [name, value] of pairs) form.append(name, value);
  return form;
};
