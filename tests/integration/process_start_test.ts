import assert from "node:assert/strict";
import { join } from "node:path";
import { Child } from "../support/child_process.ts";

const SERVER = new URL("../support/process_server.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
const RUN = ["run", "-A", "--config", CONFIG, SERVER];

interface Place extends AsyncDisposable {
  readonly path: string;
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Child;
}

/** A folder to work in; what was started in it ends with it. */
function place(): Place {
  const path = Deno.makeTempDirSync({ prefix: "portzero-" });
  const children: Child[] = [];
  return {
    path,
    run(args, env = {}) {
      const ports = { PORTZERO_HTTP_PORT: "0", PORTZERO_HTTP_TLS_PORT: "0" };
      const child = new Child(Deno.execPath(), [...RUN, ...args], {
        cwd: path,
        env: { ...ports, ...env },
      });
      children.push(child);
      return child;
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) await child[Symbol.asyncDispose]();
      Deno.removeSync(path, { recursive: true });
    },
  };
}

Deno.test("start: the first line says ready and what is served where; loopback needs no token", async () => {
  await using here = place();
  const child = here.run([]);
  const [line] = await child.expect(/^Port Zero \S+ ready in \d+\.\d s: .*$/m);
  const url = /phone (\S+),/.exec(line)![1]!;
  assert.match(line, new RegExp(`console ${url}console$`));
  await child.expect(/media +UDP 30000-30999 on 127\.0\.0\.1, 1 worker\n/);
  await child.expect(/in two windows/);
  assert.ok((await fetch(url)).body?.cancel);
  assert.doesNotMatch(child.output, /token|Listening/);
  assert.deepEqual([...Deno.readDirSync(here.path)].map(({ name }) => name), ["data"]);
  await assert.rejects(
    fetch(url.replace("localhost", "127.0.0.2")).then((response) => response.body?.cancel()),
    "only 127.0.0.1 listens",
  );
});

Deno.test("start: --host shows https URLs and a token, which stays the same", async () => {
  await using here = place();
  const tokens: string[] = [];
  for (let i = 0; i < 2; i++) {
    const child = here.run(["--host"], { PORTZERO_HTTP_ALLOWED_HOSTS: "calls.example.org" });
    tokens.push((await child.expect(/^Operator token for console and REST: (\w{48})$/m))[1]!);
    assert.match(child.output, /^ {2}https:\/\/calls\.example\.org:\d+\/$/m);
    assert.match(child.output, /the certificate is self-signed/);
    child.signal("SIGTERM");
    assert.equal((await child.ended()).code, 0);
  }
  assert.equal(tokens[0], tokens[1]);
});

Deno.test("start: every fault is sentences on standard error, exit code 1, no stack trace", async () => {
  await using here = place();
  const file = join(here.path, "bad.jsonc");
  Deno.writeTextFileSync(file, '{\n  "media": { "portFrm": 1 }\n}');
  Deno.writeTextFileSync(join(here.path, "broken.jsonc"), "{");
  const cases: [args: string[], env: Record<string, string>, expected: RegExp][] = [
    [["--wrokers", "2"], {}, /^portzero: unknown option --wrokers: did you mean --workers\?\n/],
    [["--config", file], {}, /^portzero: unknown key "media\.portFrm" .*line 2\): did you mean/],
    [["--config", "broken.jsonc"], {}, /^portzero: broken\.jsonc, line 1, column 2: expected/],
    [
      ["--config", "none.jsonc"],
      {},
      /^portzero: cannot read the configuration none\.jsonc: no such/,
    ],
    [
      [],
      { PORTZERO_HTTP_PORT: "x" },
      /^portzero: http\.port \(PORTZERO_HTTP_PORT\) is "x": expected/,
    ],
    [
      [],
      { PORTZERO_DATA_DIRECTORY: file },
      /^portzero: cannot make the data folder .*: it is there/,
    ],
    [[], { PORTZERO_TLS_KEY: "k", PORTZERO_TLS_CERTIFICATE: "c" }, /^portzero: cannot read tls\./],
  ];
  for (const [args, env, expected] of cases) {
    const child = here.run(args, env);
    assert.equal((await child.ended()).code, 1);
    assert.match(child.output, expected);
    for (const line of child.output.trimEnd().split("\n")) assert.match(line, /^portzero: /);
  }
});

Deno.test("start: --check-config lists the result with secrets masked and serves nothing", async () => {
  await using here = place();
  const child = here.run(["--check-config", "--workers", "3"], {
    PORTZERO_API_TOKEN: "a-secret-operator-token",
  });
  assert.equal((await child.ended()).code, 0);
  assert.match(child.output, /"workers": 3, \/\/ --workers/);
  assert.match(child.output, /"token": "\*\*\*" \/\/ PORTZERO_API_TOKEN/);
  assert.doesNotMatch(child.output, /a-secret|ready/);
  assert.deepEqual([...Deno.readDirSync(here.path)], []);
});

Deno.test("start: --version and --help answer and end", async () => {
  await using here = place();
  const version = here.run(["--version"]);
  assert.equal((await version.ended()).code, 0);
  assert.match(version.output, /^Port Zero \d+\.\d+\.\d+\n$/);
  const help = here.run(["--help"]);
  assert.equal((await help.ended()).code, 0);
  assert.match(help.output, /--check-config/);
});
