// Gives the token once; the session lives in a cookie that scripts cannot read.
const form = document.getElementById("form"), wrong = document.getElementById("wrong");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  wrong.textContent = "";
  try {
    const answer = await fetch("/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: document.getElementById("token").value.trim() }),
      signal: AbortSignal.timeout(20000),
    });
    if (answer.ok) location.assign(`/${location.hash}`);
    else wrong.textContent = (await answer.json().catch(() => ({}))).error || `The gateway refuses it (${answer.status}).`;
  } catch {
    wrong.textContent = "The gateway cannot be reached; try again.";
  }
});
