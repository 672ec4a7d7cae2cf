import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Child } from "../support/child_process.ts";
import { needs } from "../support/needs.ts";
import { descendantsOf, isAlive } from "../support/process_tree.ts";

/** Benches end whatever they have started, however they end themselves. */

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const RUN = ["run", "-A", "--no-check", "--config", here("../../deno.json")];
const isLinux = Deno.build.os === "linux";
const COMPILING_MS = 60_000;

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Ends a bench, and looks at what is left of it. Gives the exit code. */
async function leavesNothing(bench: Child, folder: string, end: () => void): Promise<number> {
  const started = descendantsOf(bench.pid);
  assert.ok(started.length > 0 && exists(folder), "there is something to leave behind");
  end();
  const { code } = await bench.ended();
  assert.deepEqual(started.filter(isAlive), [], "processes that are left");
  assert.equal(exists(folder), false, `${folder} is left`);
  return code;
}

for (
  const [name, args, end, code] of [
    ["SIGTERM, one child is deaf to it", ["stay", "deaf"], "SIGTERM", 143],
    ["SIGINT", ["stay"], "SIGINT", 130],
    ["an error", ["throw"], null, 1],
    ["a rejection that nobody handles", ["reject"], null, 1],
    ["itself", ["return"], null, 7],
  ] as const
) {
  Deno.test({
    name: `a bench ended by ${name} takes the stopped and the orphaned with it`,
    ignore: !isLinux,
    async fn() {
      const program = here("../support/untidy_bench.ts");
      await using bench = new Child(Deno.execPath(), [...RUN, program, ...args], { isTold: true });
      const [, folder] = await bench.expect(/begun (\S+)\n/);
      const found = await leavesNothing(bench, folder!, () => {
        if (end === null) void bench.tell("\n");
        else bench.signal(end);
      });
      assert.equal(found, code);
    },
  });
}

const { ignore: hasNoCompiler } = needs("cc");

Deno.test({
  name: "the media bench, ended while a relay is up, takes its relays and its folder with it",
  ignore: !isLinux || hasNoCompiler || navigator.hardwareConcurrency < 2,
  async fn() {
    const program = here("../bench/media_bench.ts");
    const args = [...RUN, program, "--rounds", "1", "--seconds", "1", "workers"];
    await using bench = new Child(Deno.execPath(), args);
    await bench.expect(/ is up\n/, COMPILING_MS);
    const relays = descendantsOf(bench.pid).flatMap(({ pid }) => {
      const line = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
      return line.some((word) => word.endsWith("/relay_table.ts")) ? [line] : [];
    });
    const table = relays[0]?.find((word) => /\/table\d+$/.test(word));
    assert.ok(table, "a relay runs");
    const folder = table.slice(0, table.lastIndexOf("/"));
    assert.equal(await leavesNothing(bench, folder, () => bench.signal("SIGTERM")), 143);
  },
});
