import assert from "node:assert/strict";
import { addCounts, closingLine, countsOf, runSuite } from "../../../tools/run_suite.ts";
import { plan, SUITES } from "../../../tools/suites.ts";

const ROOT = decodeURIComponent(new URL("../../../", import.meta.url).pathname);

Deno.test("tools/test: reads deno's summary, steps, ignored and colours or not", () => {
  assert.deepEqual(countsOf("ok | 60 passed | 0 failed (1s)\n", 0), {
    passed: 60,
    failed: 0,
    skipped: 0,
  });
  const coloured =
    "\x1b[0m\x1b[31mFAILED\x1b[0m | 1 passed (1 step) | 2 failed | 1 ignored (3 steps)";
  assert.deepEqual(countsOf(`noise\n${coloured} \x1b[38;5;245m(53ms)\x1b[0m\n`, 1), {
    passed: 1,
    failed: 2,
    skipped: 1,
  });
});

Deno.test("tools/test: a test that prints a summary does not count, the last one does", () => {
  const output = "ok | 99 passed | 0 failed (1s)\nFAILED | 1 passed | 1 failed (1s)\n";
  assert.equal(countsOf(output, 1).failed, 1);
  assert.equal(countsOf(output, 1).passed, 1);
});

Deno.test("tools/test: a run that dies without a summary, or fails silently, has failed", () => {
  assert.equal(countsOf("", 137).failed, 1);
  assert.equal(countsOf("", 0).failed, 1);
  assert.equal(countsOf("ok | 3 passed | 0 failed (1s)\n", 1).failed, 1);
});

Deno.test("tools/test: the closing line", () => {
  const total = addCounts({ passed: 1, failed: 2, skipped: 3 }, {
    passed: 1,
    failed: 0,
    skipped: 4,
  });
  assert.equal(closingLine(total), "2 passed, 2 failed, 7 skipped");
});

Deno.test("tools/test: a part of a path picks files, nothing fits nothing", () => {
  const found = plan(ROOT, ["tools/run_suite"]);
  assert.deepEqual(found.flatMap(({ files }) => files), ["tests/unit/tools/run_suite_test.ts"]);
  assert.deepEqual(plan(ROOT, ["no/such/file"]), []);
  const all = plan(ROOT, []).find(({ suite }) => suite.name === "fast");
  assert.ok(all && all.files.includes("tests/property/sdp_test.ts"));
});

Deno.test("tools/test: a real run, with a failure, a skip, a broken file and its environment", async () => {
  const root = `${await Deno.makeTempDir()}/`;
  try {
    await Deno.writeTextFile(
      `${root}good_test.ts`,
      `Deno.test("good", () => { if (Deno.env.get("MARK") !== "1") throw new Error("no mark"); });
       Deno.test({ name: "skipped", ignore: true, fn() {} });
       Deno.test("bad", () => { throw new Error("bad"); });`,
    );
    await Deno.writeTextFile(`${root}broken_test.ts`, `throw new Error("broken");`);
    let output = "";
    const counts = await runSuite({
      root,
      suite: SUITES[0]!,
      files: ["good_test.ts", "broken_test.ts"],
      through: [],
      env: { MARK: "1" },
      signal: new AbortController().signal,
      write: (chunk) => output += new TextDecoder().decode(chunk),
    });
    assert.deepEqual(counts, { passed: 1, failed: 2, skipped: 1 }, output);
    assert.match(output, /good .*ok/);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("tools/test: a run that is interrupted ends and counts as failed", async () => {
  const root = `${await Deno.makeTempDir()}/`;
  try {
    await Deno.writeTextFile(
      `${root}long_test.ts`,
      `Deno.test("long", async () => { console.log("begun"); await new Promise((done) => setTimeout(done, 60_000)); });`,
    );
    const interruption = new AbortController();
    const counts = await runSuite({
      root,
      suite: { ...SUITES[0]!, parallel: false },
      files: ["long_test.ts"],
      through: [],
      env: {},
      signal: interruption.signal,
      write: (chunk) => {
        if (new TextDecoder().decode(chunk).includes("long ")) interruption.abort();
      },
    });
    assert.deepEqual(counts, { passed: 0, failed: 1, skipped: 0 });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
