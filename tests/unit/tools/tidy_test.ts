import assert from "node:assert/strict";
import { describe, findUntidy, readSources, type SourceFile } from "../../../tools/tidy.ts";

const ROOT = decodeURIComponent(new URL("../../../", import.meta.url).pathname);

function found(...files: SourceFile[]): string[] {
  return findUntidy(files).filter(({ fault }) => fault).map(describe);
}

const SLASH = "/";

Deno.test("tools/tidy: the repository is tidy", () => {
  const findings = findUntidy(readSources(ROOT));
  for (const finding of findings.filter(({ fault }) => !fault)) console.log(describe(finding));
  const faults = findings.filter(({ fault }) => fault).map(describe);
  assert.deepEqual(faults, [], faults.join("\n"));
});

Deno.test("tools/tidy: long files are named, too long ones are faults", () => {
  const file = (lines: number) => ({ path: "main.ts", text: "a;\n".repeat(lines) });
  assert.deepEqual(findUntidy([file(300)]), []);
  assert.deepEqual(findUntidy([file(301)]).map(({ fault }) => fault), [false]);
  assert.deepEqual(found(file(601)), ["main.ts: 601 lines; above 600"]);
});

Deno.test("tools/tidy: lines, notes and paths of a machine", () => {
  const main = (text: string) => found({ path: "main.ts", text });
  assert.match(main("x".repeat(101))[0]!, /main.ts:1: 101 columns/);
  assert.deepEqual(main("x".repeat(100)), []);
  assert.match(main(`a;\n// ${"TO"}DO: later`)[0]!, /main.ts:2: left-over note/);
  for (const folder of ["work/main", "root/.cache", "tmp/x", "home/ann/x", "Users/Ann"]) {
    assert.match(main(`const a = "${SLASH}${folder}";`)[0]!, /path of a machine/, folder);
  }
  assert.deepEqual(main('const a = "https://example.org/work/x"; // a/tmp/b, /home'), []);
});

Deno.test("tools/tidy: modules that nobody uses", () => {
  const main = (text: string) => ({ path: "main.ts", text });
  const a = { path: "src/core/a.ts", text: "" };
  assert.deepEqual(found(main(""), a), ["src/core/a.ts: nothing imports it"]);
  for (
    const use of [
      'import { x } from "./src/core/a.ts";',
      'export * from "./src/core/a.ts";',
      'await import("./src/core/a.ts");',
      'import "./src/core/a.ts";',
      'new Worker(new URL("./src/core/a.ts", import.meta.url));',
    ]
  ) assert.deepEqual(found(main(use), a), [], use);
  const self = { path: "src/core/a.ts", text: 'import "./a.ts";' };
  assert.equal(found(main(""), self).length, 1, "importing itself is no use");
  const manifest = { path: "deno.json", text: '"x": "deno run src/core/a.ts"' };
  assert.deepEqual(found(main(""), a, manifest), []);
});
