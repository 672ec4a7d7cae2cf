import assert from "node:assert/strict";

/** The table of RFCs names files; they must be there. */

const ROOT = new URL("../../../", import.meta.url);

function exists(path: string): boolean {
  try {
    return Deno.statSync(new URL(path, ROOT)).isFile;
  } catch {
    return false;
  }
}

Deno.test("docs/rfc: every file and test that the table names exists, every row has a state", () => {
  const text = Deno.readTextFileSync(new URL("docs/rfc/README.md", ROOT));
  const rows = text.split("\n").filter((line) => /^\| \d{4}/.test(line))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  assert.ok(rows.length > 30, `${rows.length} rows`);
  const missing: string[] = [];
  for (const [rfc, , files = "", tests = "", state = ""] of rows) {
    for (const [, path] of files.matchAll(/`([^`]+)`/g)) {
      if (!exists(`src/${path}`)) missing.push(`${rfc}: src/${path}`);
    }
    for (const [, path] of tests.matchAll(/`([^`]+)`/g)) {
      if (!exists(`tests/${path}`)) missing.push(`${rfc}: tests/${path}`);
    }
    assert.notEqual(state, "", `${rfc} has no state`);
  }
  assert.deepEqual(missing, []);
});
