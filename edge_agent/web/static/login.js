// Gives the token once; the session lives in a cookie that scripts cannot read.
const form = document.getElementById("form");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await fetch("/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token: document.getElementById("token").value.trim() }),
  });
  if (answer.ok) location.assign("/");
  else document.getElementById("wrong").textContent = (await answer.json()).error;
});
