import { randomInt } from "node:crypto";
import { plan } from "./suites.ts";

/**
 * `deno task soak [ROUNDS] [part of a path ...]`: property tests and simulators with other dice each
 * time, where the test command always throws the same. Ends at the first round that fails and says
 * how to run it again.
 */

const ROUNDS = 20;
/** Far below where seeds would no longer be whole numbers. */
const MOST_ROUNDS = 10_000;

async function main(): Promise<number> {
  const [rounds = ROUNDS, parts] = /^\d+$/.test(Deno.args[0] ?? "")
    ? [Number(Deno.args[0]), Deno.args.slice(1)]
    : [ROUNDS, Deno.args];
  const root = decodeURIComponent(new URL("../", import.meta.url).pathname);
  const files = plan(root, parts).filter(({ suite }) => suite.fast).flatMap(({ files }) => files)
    .filter((file) => /\/dice\.ts"/.test(Deno.readTextFileSync(root + file)));
  if (files.length === 0) {
    console.error(`no test with dice has a path that contains ${parts.join(" or ")}`);
    return 1;
  }
  const first = randomInt(1, MOST_ROUNDS);
  console.log(`${rounds} rounds of ${files.length} files, from round ${first} on`);
  for (let round = first; round < first + rounds; round++) {
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", "--no-check", "--parallel", "--reporter=dot", ...files],
      cwd: root,
      env: { TESTS_ROUND: `${round}` },
      stdin: "null",
    }).output().then(async (output) => {
      if (!output.success) {
        await Deno.stdout.write(output.stdout);
        await Deno.stderr.write(output.stderr);
      }
      return output;
    });
    if (!success) {
      console.error(`round ${round} failed; again: TESTS_ROUND=${round} deno task test --fast`);
      return 1;
    }
    console.log(`round ${round}: ok`);
  }
  return 0;
}

if (import.meta.main) Deno.exit(await main());
