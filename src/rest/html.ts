/** The frame of the pages that the server itself writes; nothing in them comes from elsewhere. */

/** As in `web/shared/icons.tsx`. */
const MARK = `<svg class="mark" viewBox="0 0 40 24" width="40" height="24" aria-hidden="true">` +
  `<g fill="none" stroke="currentColor" stroke-width="3"><circle cx="10" cy="12" r="7.5"/>` +
  `<circle cx="30" cy="12" r="7.5"/></g>` +
  `<path d="M10 12h20" stroke="currentColor" stroke-width="3" stroke-linecap="round"/></svg>`;

/** Links in the head, other than the mark's to the phone page. */
const LINKS: Readonly<Record<string, string>> = {
  Console: "/console",
  API: "/api/docs",
  Phone: "/",
};

/**
 * @param part where one is, beside the product's name; its own link is left out
 * @param body HTML
 */
export function page(title: string, part: string, body: string): string {
  const links = Object.entries(LINKS).filter(([name]) => name !== part)
    .map(([name, path]) => `<a class="bar-link" href="${path}">${name}</a>`);
  return `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">` +
    `<meta name="viewport" content="width=device-width, initial-scale=1">` +
    `<meta name="color-scheme" content="light dark">` +
    `<title>${escapeHtml(title)} · Port Zero</title><link rel="icon" href="data:,">` +
    `<link rel="stylesheet" href="/assets/papers.css"></head><body>` +
    `<header class="bar"><a class="brand" href="/">${MARK}Port Zero ` +
    `<span class="brand-part">${escapeHtml(part)}</span></a><span class="grow"></span>` +
    `${links.join("")}</header><main class="paper">${body}</main></body></html>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** Text with code between backticks, as HTML. */
export function proseHtml(text: string): string {
  return escapeHtml(text).replace(/`([^`]+)`/g, "<code>$1</code>");
}
