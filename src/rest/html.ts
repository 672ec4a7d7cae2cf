/** The frame of the pages that the server itself writes; nothing in them comes from elsewhere. */

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1a1d21, #e6e8ea);
  --paper: light-dark(#fff, #15181b); --soft: light-dark(#f2f4f6, #1f2429);
  --line: light-dark(#d8dde2, #343b42); --accent: light-dark(#0b5cad, #7ab8ff); }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
a { color: var(--accent); }
code, pre { font: 0.875rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
td:first-child code { overflow-wrap: normal; }
pre { background: var(--soft); padding: 0.75rem; border-radius: 0.375rem; white-space: pre-wrap; }
details { border: 1px solid var(--line); border-radius: 0.5rem; margin: 0.5rem 0; }
input, button { font: inherit; padding: 0.5rem 0.75rem; border-radius: 0.375rem;
  border: 1px solid var(--ink); }
input { width: 100%; max-width: 26rem; color: inherit; background: var(--paper); }
button { color: var(--paper); background: var(--accent); border-color: var(--accent);
  cursor: pointer; }
summary { padding: 0.6rem 0.8rem; cursor: pointer; }
summary b { display: inline-block; min-width: 5.5rem; color: var(--accent); }
.inside { padding: 0 0.8rem 0.8rem; }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto; }
th, td { text-align: left; padding: 0.3rem 0.8rem 0.3rem 0; vertical-align: top;
  border-top: 1px solid var(--line); }
`;

/** @param body HTML */
export function page(title: string, body: string): string {
  return `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">` +
    `<meta name="viewport" content="width=device-width, initial-scale=1">` +
    `<title>${escapeHtml(title)} - Port Zero</title><link rel="icon" href="data:,">` +
    `<style>${STYLE}</style></head><body>${body}</body></html>`;
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
