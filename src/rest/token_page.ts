import { page } from "./html.ts";

/** Asks the operator for the token; `/console/token.js` sends it. */
export function tokenPage(): string {
  return page(
    "Operator token",
    `<h1>Operator token</h1><p>The server printed it when it started; ` +
      `where you have set <code>api.token</code>, it is that.</p>` +
      `<form id="form"><p><label for="token">Token</label><br>` +
      `<input id="token" type="password" autocomplete="current-password" autofocus required></p>` +
      `<p><button>Open the console</button></p>` +
      `<p id="fault" role="alert"></p></form>` +
      `<noscript>This page needs JavaScript.</noscript><script src="/console/token.js"></script>`,
  );
}

/** A link `/console#token=...` works too: what stands after the # is never sent by the browser. */
export const TOKEN_SCRIPT = `"use strict";
const form = document.getElementById("form");
const input = document.getElementById("token");
async function send(token) {
  const response = await fetch("/console/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
  if (response.ok) return location.replace("/console");
  document.getElementById("fault").textContent = response.status === 401
    ? "That is not the token of this server."
    : "The server did not accept it: " + response.status;
  input.select();
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  send(input.value.trim());
});
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  history.replaceState(null, "", location.pathname);
  send(given);
}
`;
