import assert from "node:assert/strict";
import { join } from "node:path";
import { launcherChain } from "../../src/core/io/launchers.ts";
import { procTable, psTable } from "../../src/core/io/processes.ts";
import { before, Child, gone, isRunning } from "../support/child_process.ts";

const SERVER = new URL("../support/process_server.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
const DENO = Deno.execPath();
const RUN = ["run", "-A", "--config", CONFIG, SERVER];
const PORTS = { PORTZERO_HTTP_PORT: "0", PORTZERO_HTTP_TLS_PORT: "0" };
const onLinux = { ignore: Deno.build.os !== "linux" };

/** Whether a program is there and works. */
async function runs(program: string, ...args: string[]): Promise<boolean> {
  try {
    const command = new Deno.Command(program, { args, stdout: "null", stderr: "null" });
    return (await command.output()).success;
  } catch {
    return false;
  }
}

/** A folder with a `start` task of its own, as a clone has it. */
function project(): string {
  const folder = Deno.makeTempDirSync({ prefix: "portzero-" });
  const start = `deno ${RUN.join(" ")}`;
  Deno.writeTextFileSync(join(folder, "deno.json"), JSON.stringify({ tasks: { start } }));
  return folder;
}

interface Started extends AsyncDisposable {
  readonly child: Child;
  readonly url: string;
  /** The server's own process, which may be a grandchild. */
  readonly server: number;
}

/** Starts a command in a new project and waits until its server is ready. */
async function started(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const folder = project();
  const child = new Child(command, args, { cwd: folder, env: { ...PORTS, ...env } });
  let server = 0;
  const dispose = async () => {
    if (server !== 0 && isRunning(server)) Deno.kill(server, "SIGKILL");
    await child[Symbol.asyncDispose]();
    Deno.removeSync(folder, { recursive: true });
  };
  try {
    const url = (await child.expect(/ready in .* phone (http:\S+\/),/, 60_000))[1]!;
    server = Number(await (await fetch(url)).text());
    return { child, url, server, [Symbol.asyncDispose]: dispose };
  } catch (fault) {
    await dispose();
    throw fault;
  }
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`life: ${signal} to the server ends it with 0`, async () => {
    await using run = await started(DENO, RUN);
    run.child.signal(signal);
    assert.equal((await run.child.ended()).code, 0, run.child.output);
    assert.match(run.child.output, new RegExp(`ending cause=${signal}`));
  });
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`life: ${signal} to deno task ends task and server with 0`, async () => {
    await using run = await started(DENO, ["task", "start"]);
    assert.notEqual(run.server, run.child.pid);
    run.child.signal(signal);
    const status = await run.child.ended();
    await gone(run.server);
    assert.match(run.child.output, / ended tookMs=/);
    assert.equal(status.code, 0, run.child.output);
  });
}

Deno.test("life: the death of deno task ends the server too", async () => {
  await using run = await started(DENO, ["task", "start"]);
  run.child.signal("SIGKILL");
  await run.child.ended();
  await gone(run.server);
  assert.match(run.child.output, /ending cause=launcher/);
});

Deno.test("life: an end that hangs is cut off with 1", async () => {
  await using run = await started(DENO, RUN);
  await (await fetch(`${run.url}slow-end?ms=60000`)).text();
  run.child.signal("SIGTERM");
  assert.equal((await run.child.ended()).code, 1);
  assert.match(run.child.output, /took too long and is cut off limitMs=3000/);
});

Deno.test("life: a repeated signal is one wish at first, and an order a second later", async () => {
  await using run = await started(DENO, RUN);
  await (await fetch(`${run.url}slow-end?ms=60000`)).text();
  run.child.signal("SIGINT");
  await run.child.expect(/ending cause=SIGINT/);
  run.child.signal("SIGINT");
  assert.equal(await before(run.child.ended(), 1100), undefined, "it must not end yet");
  run.child.signal("SIGINT");
  assert.equal((await run.child.ended(1500)).code, 130);
});

for (const [name, args] of [["deno run", RUN], ["deno task", ["task", "start"]]] as const) {
  Deno.test({
    name: `life: ${name} under nohup outlives its terminal`,
    ...onLinux,
    async fn() {
      await using run = await started("nohup", [DENO, ...args]);
      run.child.signal("SIGHUP");
      assert.equal(await before(run.child.ended(), 1000), undefined, "SIGHUP must change nothing");
      assert.equal(await (await fetch(run.url)).text(), String(run.server));
      run.child.signal("SIGTERM");
      assert.equal((await run.child.ended()).code, 0);
      await gone(run.server);
    },
  });
}

Deno.test({
  name: "life: the end of the terminal ends the server with 0",
  // `script` gives the server a terminal of its own.
  ignore: !await runs("script", "--version"),
  async fn() {
    const command = `"${DENO}" ${RUN.join(" ")}`;
    await using run = await started("script", ["-q", "-e", "-f", "-c", command, "/dev/null"]);
    Deno.kill(run.server, "SIGHUP");
    assert.equal((await run.child.ended()).code, 0, run.child.output);
    assert.match(run.child.output, /ending cause=SIGHUP/);
  },
});

const hasNpx = await runs("npx", "--version");
const NPX = `npx -y deno@${Deno.version.deno}`;

// What is started in the background by a shell that exits, and how many processes then go on.
for (
  const [what, command, members] of [
    ["deno run", `"${DENO}" ${RUN.join(" ")}`, 1],
    ["deno task", `"${DENO}" task start`, 2],
    ["npx", `${NPX} task start`, 4],
  ] as const
) {
  Deno.test({
    name: `life: ${what} in the background outlives the shell that began it`,
    ignore: Deno.build.os !== "linux" || (what === "npx" && !hasNpx),
    async fn() {
      // The shell is still there while the server looks for launchers.
      await using run = await started("sh", ["-c", `${command} & wait`]);
      const chain = launcherChain(run.server, procTable);
      assert.ok(chain.length >= members, `launchers: ${chain}`);
      assert.ok(!chain.includes(run.child.pid), "the shell is no launcher");
      Deno.kill(run.child.pid, "SIGKILL");
      // Longer than two looks of the watch take.
      await new Promise((resolve) => setTimeout(resolve, 1500));
      assert.equal(await (await fetch(run.url)).text(), String(run.server));
      Deno.kill(run.server, "SIGTERM");
      for (const pid of chain) await gone(pid);
    },
  });
}

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  Deno.test({
    name: `life: ${signal} to npx alone ends deno task and server (skipped without npx)`,
    ignore: !hasNpx,
    async fn() {
      await using run = await started("npx", [...NPX.split(" ").slice(1), "task", "start"]);
      const chain = launcherChain(run.server, procTable);
      assert.equal(chain.at(-1), run.child.pid, `npx is the topmost launcher of ${chain}`);
      run.child.signal(signal);
      const status = await before(run.child.ended(5000), 5000);
      assert.ok(status, "npx must end");
      if (signal === "SIGTERM") assert.ok(status.code === 143 || status.signal === "SIGTERM");
      for (const pid of chain) await gone(pid);
      assert.match(run.child.output, /ending cause=(launcher|SIGTERM)/);
      assert.match(run.child.output, / ended tookMs=/);
    },
  });
}

Deno.test({
  name: "processes: /proc and ps tell the same of this process and its parent",
  ...onLinux,
  async fn() {
    const own = procTable.read(Deno.pid)!;
    assert.equal(own.parent, Deno.ppid);
    const byPs = psTable.read(Deno.pid)!;
    assert.equal(byPs.parent, own.parent);
    assert.equal(byPs.args.join(" "), own.args.join(" "));
    const pids = [Deno.pid, Deno.ppid, 2 ** 22 + 1];
    assert.deepEqual(await psTable.parents(pids), await procTable.parents(pids));
    assert.equal(psTable.read(2 ** 22 + 1), undefined);
    assert.equal(procTable.read(2 ** 22 + 1), undefined);
  },
});

Deno.test("life: a fault that nobody caught is logged, and the process lives on", async () => {
  await using run = await started(DENO, RUN);
  for (const kind of ["throw", "reject"]) {
    await (await fetch(`${run.url}fault?kind=${kind}`)).text();
    await run.child.expect(new RegExp(`error process: .*error="Error: ${kind} it"\\n +at `));
  }
  assert.equal(await (await fetch(run.url)).text(), String(run.server));
  run.child.signal("SIGTERM");
  assert.equal((await run.child.ended()).code, 0);
});
