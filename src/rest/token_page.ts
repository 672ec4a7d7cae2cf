import { page } from "./html.ts";

/** Where the operator's token is asked for; the query says what page wants it. */
export const TOKEN_PAGE = "/console/token";

/** Address of the token page that leads back to `path` afterwards. @param path with its query */
export function tokenPageFor(path: string): string {
  return path === "/console" ? TOKEN_PAGE : `${TOKEN_PAGE}?next=${encodeURIComponent(path)}`;
}

/** Asks the operator for the token; `/console/token.js` sends it. */
export function tokenPage(): string {
  return page(
    "Operator token",
    "Console",
    `<div class="card door"><h1>Operator token</h1>` +
      `<p>The server printed it when it started; ` +
      `where you have set <code>api.token</code>, it is that.</p>` +
      `<form id="form"><label class="label" for="token">Token</label>` +
      `<input id="token" type="password" autocomplete="current-password" autofocus required>` +
      `<button class="button button-main">Go on</button>` +
      `<p class="fault" id="fault" role="alert"></p></form>` +
      `<noscript>This page needs JavaScript.</noscript></div>` +
      `<script src="/console/token.js"></script>`,
  );
}

/** A link `/console#token=...` works too: what stands after the # is never sent by the browser. */
export const TOKEN_SCRIPT = `"use strict";
const form = document.getElementById("form");
const input = document.getElementById("token");
let hash = location.hash;
// Back to the page that wanted the token, and to nobody else's.
function next() {
  const wanted = new URLSearchParams(location.search).get("next");
  const url = URL.canParse(wanted || "", location.origin) && new URL(wanted || "", location.origin);
  const isOurs = url && url.origin === location.origin && url.pathname !== "/";
  return (isOurs ? url.pathname + url.search : "/console") + hash;
}
async function send(token) {
  const response = await fetch("/console/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
  if (response.ok) return location.replace(next());
  document.getElementById("fault").textContent = response.status === 401
    ? "That is not the token of this server."
    : "The server did not accept it: " + response.status;
  input.select();
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  send(input.value.trim());
});
const given = new URLSearchParams(hash.slice(1)).get("token");
if (given) {
  hash = "";
  history.replaceState(null, "", location.pathname + location.search);
  send(given);
}
`;
