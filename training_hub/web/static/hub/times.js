// Times in the viewer's zone; the title keeps UTC.

const SHORT = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const FORMS = {
  "": { format: (at) => (at.getFullYear() === new Date().getFullYear() ? SHORT : FORMS.year).format(at) },
  year: new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }),
  seconds: new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" }),
  day: new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }),
};
const AGO = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

export function ago(at, now) {
  const seconds = (at - now) / 1000;
  const [unit, size] = STEPS.find(([, step]) => Math.abs(seconds) >= step) ?? STEPS.at(-1);
  return AGO.format(Math.trunc(seconds / size), unit);
}

export function showTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const form = element.dataset.form ?? "";
    element.textContent = form === "ago" ? ago(at, new Date()) : (FORMS[form] ?? FORMS[""]).format(at);
  }
}
