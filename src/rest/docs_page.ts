import { escapeHtml, page, proseHtml } from "./html.ts";
import type { OpenApiDocument, OpenApiOperation } from "./openapi.ts";
import { PROBLEM_KINDS, type ProblemSlug } from "./problem.ts";

/** The API's documents for people, rendered here: no script, nothing from elsewhere. */

/** `document` as one HTML page. */
export function docsPage(document: OpenApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, each]) => ({ path, method, each }))
  );
  const sections = document.tags.map(({ name }) =>
    `<h2>${escapeHtml(name)}</h2>` +
    operations.filter(({ each }) => each.tags.includes(name))
      .map(({ path, method, each }) => operationHtml(path, method, each)).join("")
  );
  const schemas = Object.entries(document.components.schemas).map(([name, schema]) =>
    `<details id="schema-${escapeHtml(name)}"><summary><code>${escapeHtml(name)}</code></summary>` +
    `<div class="inside">${json(schema)}</div></details>`
  );
  const problems = Object.entries(PROBLEM_KINDS).map(([slug, kind]) =>
    `<tr><td><a href="/problems/${slug}"><code>${slug}</code></a></td><td>${kind.status}</td>` +
    `<td>${proseHtml(kind.meaning)}</td></tr>`
  );
  return page(
    "API",
    "API",
    [
      `<h1>Port Zero API</h1><p>${proseHtml(String(document.info.description))}</p>`,
      `<p>Version ${escapeHtml(String(document.info.version))}, as `,
      `<a href="/api/openapi.json">OpenAPI ${document.openapi}</a>.</p>`,
      ...sections,
      `<h2>Objects</h2>${schemas.join("")}`,
      `<h2>Problems</h2><table aria-label="Problems"><tr><th>Type</th><th>Status</th><th>Meaning</th></tr>`,
      `${problems.join("")}</table>`,
    ].join(""),
  );
}

/** What a problem type means; its URI leads here. */
export function problemPage(slug: ProblemSlug): string {
  const kind = PROBLEM_KINDS[slug];
  return page(
    kind.title,
    "Problems",
    `<h1>${escapeHtml(kind.title)}</h1><p>${proseHtml(kind.meaning)}</p>` +
      `<p>Type <code>/problems/${slug}</code>, status ${kind.status}.</p>`,
  );
}

function operationHtml(path: string, method: string, each: OpenApiOperation): string {
  const parameters = each.parameters.map((parameter) =>
    `<tr><td><code>${escapeHtml(parameter.name)}</code></td><td>${parameter.in}</td>` +
    `<td>${proseHtml(parameter.description)}</td>` +
    `<td><code>${escapeHtml(JSON.stringify(parameter.schema))}</code></td></tr>`
  );
  const responses = Object.entries(each.responses).map(([status, response]) =>
    `<tr><td>${status}</td><td>${proseHtml(response.description)}</td>` +
    `<td>${reference(response.content)}</td></tr>`
  );
  return `<details id="${escapeHtml(each.operationId)}"><summary><b>${method.toUpperCase()}</b> ` +
    `<code>${escapeHtml(path)}</code> ${proseHtml(each.summary)}</summary><div class="inside">` +
    (parameters.length > 0
      ? `<h3>Parameters</h3><table aria-label="Parameters">${parameters.join("")}</table>`
      : "") +
    (each.requestBody ? `<h3>Body</h3>${json(each.requestBody)}` : "") +
    `<h3>Answers</h3><table aria-label="Answers">${responses.join("")}</table></div></details>`;
}

/** Links to the objects that a description refers to. */
function reference(content: unknown): string {
  const names = JSON.stringify(content ?? {}).matchAll(/#\/components\/schemas\/(\w+)/g);
  return [...new Set([...names].map((match) => match[1]!))]
    .map((name) => `<a href="#schema-${name}">${name}</a>`).join(", ");
}

function json(value: unknown): string {
  return `<pre>${escapeHtml(JSON.stringify(value, null, 2))}</pre>`;
}
