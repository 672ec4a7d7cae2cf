/**
 * A bench that leaves what one could leave: `deno run -A tests/support/untidy_bench.ts HOW [deaf]`,
 * where HOW is `stay`, `return`, `throw` or `reject`. Prints `begun FOLDER` when everything is
 * there, and goes on when it gets a byte.
 */
import { withCleanEnd } from "../bench/clean_end.ts";

const FOR_EVER = "while true; do sleep 1; done";

function start(script: string): Deno.ChildProcess {
  return new Deno.Command("sh", { args: ["-c", script], stdout: "null", stderr: "null" }).spawn();
}

await withCleanEnd(async () => {
  const folder = await Deno.makeTempDir();
  const [how, deaf] = Deno.args;
  start(FOR_EVER).kill("SIGSTOP");
  // Its parent ends before it does.
  start(`(trap "sleep 0.2; exit" TERM; touch ${folder}/grandchild; ${FOR_EVER}) & wait`);
  if (deaf !== undefined) start(`trap : TERM; touch ${folder}/deaf; ${FOR_EVER}`);
  while ([...Deno.readDirSync(folder)].length < (deaf === undefined ? 1 : 2)) {
    await new Promise((go) => setTimeout(go, 10));
  }
  console.log(`begun ${folder}`);
  await Deno.stdin.read(new Uint8Array(1));
  if (how === "throw") throw new Error("thrown");
  if (how === "reject") void Promise.reject(new Error("rejected"));
  return how === "return" ? 7 : await new Promise<never>(() => {});
});
