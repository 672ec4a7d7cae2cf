import assert from "node:assert/strict";
import { isChainWhole, launcherChain } from "../../../src/core/io/launchers.ts";
import type { ProcessTable } from "../../../src/core/io/processes.ts";

/** A line of descent, the server first; pids count down from 100, and above the last stands 1. */
function family(...commands: (string | string[])[]): { chain: string[]; table: ProcessTable } {
  const args = commands.map((command) =>
    typeof command === "string" ? command.split(" ") : command
  );
  const table: ProcessTable = {
    read(pid) {
      if (pid === 1) return { parent: 0, args: ["/sbin/init"] };
      const own = args[100 - pid];
      return own && { parent: 100 - pid + 1 < args.length ? pid - 1 : 1, args: own };
    },
    parents: () => new Map(),
  };
  const chain = launcherChain(100, table).map((pid) => args[100 - pid]!.join(" "));
  return { chain: chain.slice(1), table };
}

const SERVER = "/usr/bin/deno run -A main.ts";
const TASK = "deno task start";
const SHELL = ["sh", "-c", "'deno' task start"];

Deno.test("launchers: npx is found through what it puts in between", () => {
  const npm = ["npm exec deno@2.9.6 task start"];
  const script = "node /home/u/.npm/_npx/1/node_modules/deno/bin.cjs task start";
  assert.deepEqual(family(SERVER, TASK, SHELL, npm, "-bash").chain, [
    TASK,
    SHELL.join(" "),
    npm[0],
  ]);
  assert.equal(family(SERVER, TASK, script, SHELL, npm, "-bash").chain.at(-1), npm[0]);
  assert.equal(family(SERVER, TASK, npm, "zsh").chain.at(-1), npm[0]);
  const older = "node /usr/bin/npx -y deno@2.9.6 task start";
  assert.equal(family(SERVER, TASK, SHELL, older, "bash").chain.at(-1), older);
  const direct = ["npm exec deno@2.9.6 run -A main.ts"];
  assert.equal(family(SERVER, SHELL, direct, "bash").chain.at(-1), direct[0]);
});

Deno.test("launchers: other package runners, and one inside another", () => {
  const pnpm = "node /usr/lib/node_modules/pnpm/bin/pnpm.cjs dlx deno@2.9.6 task start";
  const bin = "sh /tmp/x/node_modules/.bin/deno task start";
  assert.equal(family(SERVER, TASK, bin, pnpm, "fish").chain.at(-1), pnpm);
  assert.equal(family(SERVER, TASK, "/usr/bin/bunx deno@2.9.6 task start").chain.length, 2);
  const inner = ["npm exec deno@2.9.6 task start"];
  const outer = ["npm run lab"];
  assert.equal(family(SERVER, TASK, SHELL, inner, SHELL, outer, "bash").chain.at(-1), outer[0]);
});

Deno.test("launchers: a shell, a script, a service manager or a container is none", () => {
  assert.deepEqual(family(SERVER).chain, []);
  assert.deepEqual(family(SERVER, "-bash").chain, []);
  assert.deepEqual(family(SERVER, ["bash", "-c", "deno run -A main.ts & sleep 9"]).chain, []);
  assert.deepEqual(family(SERVER, TASK).chain, [TASK]);
  assert.deepEqual(family(SERVER, TASK, "bash", "sshd: u@pts/0").chain, [TASK]);
  assert.deepEqual(family(SERVER, TASK, ["sh", "-c", "deno task start &"], "cron").chain, [TASK]);
  assert.deepEqual(family(SERVER, TASK, "/lib/systemd/systemd --user").chain, [TASK]);
  assert.deepEqual(family(SERVER, TASK, "node /srv/app/server.js").chain, [TASK]);
  assert.deepEqual(family(SERVER, "deno run -A task.ts").chain, []);
  // An interactive shell between them means that somebody typed the command.
  assert.deepEqual(family(SERVER, TASK, "bash -i", "npm exec -- bash").chain, [TASK]);
});

Deno.test("launchers: a chain is broken by any member that got another parent or is gone", () => {
  const parents = new Map([[100, 99], [99, 98]]);
  assert.ok(isChainWhole([100, 99, 98], parents));
  assert.ok(isChainWhole([100], new Map()));
  assert.ok(!isChainWhole([100, 99, 98], new Map([[100, 99], [99, 1]])));
  assert.ok(!isChainWhole([100, 99, 98], new Map([[100, 99]])));
  assert.ok(!isChainWhole([100, 99, 98], new Map([[100, 1], [99, 98]])));
});
