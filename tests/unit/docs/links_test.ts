import assert from "node:assert/strict";

/** Papers that point to what is not there any more mislead. */

const ROOT = new URL("../../../", import.meta.url);
const LINK = /\]\(([^)\s]+)\)/g;

function papers(): URL[] {
  const inRoot = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].map((name) =>
    new URL(name, ROOT)
  );
  return [...inRoot, ...markdownIn(new URL("docs/", ROOT)), new URL("web/README.md", ROOT)];
}

function markdownIn(folder: URL): URL[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory
      ? markdownIn(new URL(`${name}/`, folder))
      : name.endsWith(".md")
      ? [new URL(name, folder)]
      : []
  );
}

/** As the usual hosts make it of a heading. */
function anchor(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").trim().replaceAll(" ", "-");
}

/** What is wrong with a link, or nothing. */
function faultOf(paper: URL, target: string): string | undefined {
  if (/^[a-z]+:/.test(target)) return undefined;
  const url = new URL(target, paper);
  const hash = url.hash.slice(1);
  url.hash = "";
  try {
    if (hash === "") return void Deno.statSync(url);
    const headings = [...Deno.readTextFileSync(url).matchAll(/^#+ (.+)$/gm)];
    return headings.some(([, text]) => anchor(text!) === hash) ? undefined : "no such heading";
  } catch {
    return "no such file";
  }
}

Deno.test("papers: every link leads to a file, and every anchor to a heading", () => {
  const faults: string[] = [];
  let links = 0;
  for (const paper of papers()) {
    for (const [, target] of Deno.readTextFileSync(paper).matchAll(LINK)) {
      links++;
      const fault = faultOf(paper, target!);
      if (fault) faults.push(`${paper.pathname.slice(ROOT.pathname.length)}: ${target}: ${fault}`);
    }
  }
  assert(links > 50, `only ${links} links were found`);
  assert.deepEqual(faults, [], faults.join("\n"));
});

Deno.test("papers: a wrong link is found", () => {
  const paper = new URL("docs/closures.md", ROOT);
  assert.equal(faultOf(paper, "glossary.md#terminations"), undefined);
  assert.equal(faultOf(paper, "https://example.org/"), undefined);
  assert.equal(faultOf(paper, "glossary.md#nowhere"), "no such heading");
  assert.equal(faultOf(paper, "nowhere.md"), "no such file");
});
