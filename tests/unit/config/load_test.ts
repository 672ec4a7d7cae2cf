import assert from "node:assert/strict";
import { type CommandLine, parseCommandLine } from "../../../src/core/config/command_line.ts";
import { describeConfig } from "../../../src/core/config/describe.ts";
import { parseJsonc, toPlain } from "../../../src/core/config/jsonc.ts";
import { environmentName } from "../../../src/core/config/names.ts";
import { isAllowedHost } from "../../../src/core/config/loopback.ts";
import { loadConfig, type LoadedConfig } from "../../../src/core/config/load.ts";
import { CONFIG_KEYS } from "../../../src/core/config/schema.ts";
import { err, ok } from "../../../src/core/result.ts";

const DEFAULTS = Deno.readTextFileSync(new URL("../../../config/default.jsonc", import.meta.url));

interface Sources {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
}

function load({ args = [], env = {}, files = {} }: Sources) {
  const parsed = parseCommandLine(args);
  assert.ok(parsed.ok);
  const commandLine: CommandLine = parsed.value;
  const readFile = (path: string) =>
    files[path] === undefined ? err("no such file or folder") : ok(files[path]);
  return loadConfig({ commandLine, env, defaults: DEFAULTS, readFile });
}

function loaded(sources: Sources): LoadedConfig {
  const result = load(sources);
  assert.ok(result.ok, result.ok ? "" : result.error.map(({ text }) => text).join("\n"));
  return result.value;
}

function faults(sources: Sources): string[] {
  const result = load(sources);
  assert.ok(!result.ok, "expected faults");
  return result.error.map(({ text }) => text);
}

const withFile = (text: string) => ({
  args: ["--config", "my.jsonc"],
  files: { "my.jsonc": text },
});

Deno.test("config: default.jsonc gives every key of the schema, and nothing else", () => {
  const parsed = parseJsonc(DEFAULTS);
  assert.ok(parsed.ok);
  const { config, warnings } = loaded({});
  assert.deepEqual(config, toPlain(parsed.value));
  assert.deepEqual(warnings, []);
});

Deno.test("config: every key of default.jsonc has a comment, and every number of time its unit", () => {
  const lines = DEFAULTS.split("\n");
  for (const path of CONFIG_KEYS.keys()) {
    const [group, name = group!] = path.split(".");
    const start = lines.findIndex((line) => line.trimStart().startsWith(`"${group}": `));
    const at = lines.findIndex((line, i) =>
      i >= start && line.trimStart().startsWith(`"${name}":`)
    );
    let above = at - 1;
    // Keys that belong together share the comment above the first.
    while (lines[above]!.trimStart().startsWith('"') && !lines[above]!.trimEnd().endsWith("{")) {
      above--;
    }
    assert.ok(lines[above]!.trimStart().startsWith("//"), `${path} needs a comment`);
    if (name.endsWith("Seconds")) {
      assert.match(lines.slice(above - 1, at).join(" "), /seconds/, path);
    }
  }
});

Deno.test("config: default and production example are valid as a --config file", () => {
  const example = Deno.readTextFileSync(
    new URL("../../../config/production.example.jsonc", import.meta.url),
  );
  assert.deepEqual(loaded(withFile(DEFAULTS)).config, loaded({}).config);
  const { config } = loaded(withFile(example));
  assert.equal(config.lab.accounts, false);
  assert.equal(config.media.publicAddress, "203.0.113.7");
});

Deno.test("config: environment wins over the file, an option over both", () => {
  const files = {
    "my.jsonc": '{ "media": { "workers": 3, "portFrom": 2000 }, "sip": { "port": 7 } }',
  };
  const env = { PORTZERO_MEDIA_WORKERS: "4", PORTZERO_SIP_PORT: "8" };
  const args = ["--config", "my.jsonc", "--workers", "5"];
  const { config, origins } = loaded({ args, env, files });
  assert.equal(config.media.workers, 5);
  assert.equal(config.sip.port, 8);
  assert.equal(config.media.portFrom, 2000);
  assert.equal(origins.get("media.workers"), "--workers");
  assert.equal(origins.get("sip.port"), "PORTZERO_SIP_PORT");
  assert.equal(origins.get("media.portFrom"), "my.jsonc, line 1");
  assert.equal(origins.get("media.portTo"), "default");
});

Deno.test("config: variables are read by the kind of their key, under both spellings", () => {
  const { config } = loaded({
    env: {
      PORTZERO_MEDIA_PORT_FROM: "20000",
      PORTZERO_MEDIA_PORTTO: "20010",
      PORTZERO_MEDIA_ADDRESSES: "127.0.0.1, ::1",
      PORTZERO_SIP_ADD_CONTACT_ID: "off",
      PORTZERO_SIP_DOMAINS: "",
      PORTZERO_SIP_ACCOUNTS: "alice:a:b,bob:c",
      PORTZERO_LOG_LEVEL: "debug",
      PORTZERO_MEDIA_WORKERS: "auto",
      HOME: "/root",
    },
  });
  assert.equal(config.media.portFrom, 20000);
  assert.equal(config.media.portTo, 20010);
  assert.deepEqual(config.media.addresses, ["127.0.0.1", "::1"]);
  assert.equal(config.sip.addContactId, false);
  assert.deepEqual(config.sip.accounts, [
    { name: "alice", password: "a:b" },
    { name: "bob", password: "c" },
  ]);
  assert.equal(config.media.workers, "auto");
});

Deno.test("config: no two keys share a variable", () => {
  const names = [...CONFIG_KEYS.keys()].flatMap((path) => [
    environmentName(path),
    `PORTZERO_${path.replaceAll(".", "_").toUpperCase()}`,
  ]);
  const owners = new Map<string, Set<string>>();
  for (const [i, name] of names.entries()) {
    const path = [...CONFIG_KEYS.keys()][i >> 1]!;
    owners.set(name, (owners.get(name) ?? new Set()).add(path));
  }
  for (const [name, paths] of owners) assert.equal(paths.size, 1, `${name}: ${[...paths]}`);
});

Deno.test("config: each fault is one sentence with name, value and what was expected", () => {
  assert.deepEqual(faults(withFile('{\n "http": { "prot": 1 },\n "sipp": {},\n "workers": 2 }')), [
    'unknown key "http.prot" (my.jsonc, line 2): did you mean "http.port"?',
    'unknown key "sipp" (my.jsonc, line 3): did you mean "sip"?',
    'unknown key "workers" (my.jsonc, line 4): did you mean "media.workers"?',
  ]);
  assert.deepEqual(faults(withFile('{ "http": 8080 }')), [
    "http (my.jsonc, line 1) is 8080: expected an object of settings",
  ]);
  assert.match(faults(withFile('{ "__proto__": 1 }'))[0]!, /^unknown key "__proto__" \(my/);
  assert.deepEqual(faults({ env: { PORTZERO_HTTP_PORT: "70000", PORTZERO_LOG_LEVL: "info" } }), [
    "unknown environment variable PORTZERO_LOG_LEVL: did you mean PORTZERO_LOG_LEVEL?",
    "http.port (PORTZERO_HTTP_PORT) is 70000: expected a port number from 0 (any free one) to 65535",
  ]);
  assert.deepEqual(faults(withFile("[]")), [
    'my.jsonc holds no object: expected { "http": { ... }, ... }',
  ]);
  assert.deepEqual(faults({ args: ["--config", "none.jsonc"] }), [
    "cannot read the configuration none.jsonc: no such file or folder",
  ]);
  assert.deepEqual(faults(withFile('{\n"a" }')), [
    'my.jsonc, line 2, column 5: expected ":", found "}"',
  ]);
});

Deno.test("config: each key refuses a value of a wrong kind, and says so under its own name", () => {
  for (const [path, key] of CONFIG_KEYS) {
    const wrong: unknown = { never: "right" };
    const text = JSON.stringify(
      path.split(".").reduceRight((inner, name) => ({ [name]: inner }), wrong),
    );
    const [sentence] = faults(withFile(text));
    assert.ok(sentence!.startsWith(`${path} (my.jsonc, line 1) is `), sentence);
    assert.ok(sentence!.endsWith(`expected ${key.expected}`), sentence);
  }
});

Deno.test("config: values are refused that only make sense together", () => {
  assert.deepEqual(
    faults({ env: { PORTZERO_MEDIA_PORT_FROM: "4000", PORTZERO_MEDIA_PORT_TO: "3999" } }),
    [
      "media.portTo (PORTZERO_MEDIA_PORT_TO) is 3999: expected at least media.portFrom, 4000",
    ],
  );
  assert.match(
    faults({ env: { PORTZERO_TLS_KEY: "k.pem" } })[0]!,
    /^tls\.certificate .* is empty: /,
  );
  assert.match(
    faults({ env: { PORTZERO_TLS_CERTIFICATE: "c.pem" } })[0]!,
    /^tls\.key .* is empty: /,
  );
  assert.deepEqual(faults({ env: { PORTZERO_HTTP_REST_PORT: "8443" } }), [
    "http.restPort (PORTZERO_HTTP_REST_PORT) is 8443: expected another port than that of http.tlsPort",
  ]);
  assert.deepEqual(faults({ env: { PORTZERO_SIP_PORT: "8443" } }), [
    "sip.port (PORTZERO_SIP_PORT) is 8443: expected another port than that of http.tlsPort",
  ]);
  assert.match(faults({ env: { PORTZERO_SIP_TLS_PORT: "5060" } })[0]!, /that of sip\.port/);
  assert.match(faults({ env: { PORTZERO_SIP_ACCOUNTS: "a:1,a:2" } })[0]!, /holds "a" twice/);
  const any = { PORTZERO_HTTP_PORT: "0", PORTZERO_HTTP_TLS_PORT: "0" };
  assert.equal(loaded({ env: any }).config.http.tlsPort, 0);
});

Deno.test("config: an exposed server has no lab accounts, whatever was asked for", () => {
  const quiet = loaded({ args: ["--host"] });
  assert.equal(quiet.config.http.host, "0.0.0.0");
  assert.equal(quiet.config.lab.accounts, false);
  assert.deepEqual(quiet.warnings, []);
  const asked = loaded({ args: ["--host", "192.0.2.1"], env: { PORTZERO_LAB_ACCOUNTS: "true" } });
  assert.equal(asked.config.lab.accounts, false);
  assert.match(asked.warnings[0]!, /^lab\.accounts is off: .*192\.0\.2\.1$/);
  assert.equal(loaded({ env: { PORTZERO_HTTP_HOST: "::" } }).config.lab.accounts, false);
  for (const host of ["127.0.0.1", "127.1.2.3", "::1", "localhost"]) {
    assert.equal(loaded({ args: ["--host", host] }).config.lab.accounts, true, host);
  }
});

Deno.test("config: a listing masks secrets and can otherwise be fed back", () => {
  const secrets = {
    PORTZERO_API_TOKEN: "abcdefghijklmnop",
    PORTZERO_SIP_ACCOUNTS: "alice:wonderland",
  };
  const text = describeConfig(loaded({ env: secrets }));
  assert.ok(!text.includes("abcdefghijklmnop") && !text.includes("wonderland"));
  assert.match(text, /"token": "\*\*\*" \/\/ PORTZERO_API_TOKEN/);
  assert.match(text, /"accounts": \[\{"name":"alice","password":"\*\*\*"\}\]/);
  const plain = loaded({ env: { PORTZERO_HTTP_PORT: "9" } });
  assert.deepEqual(loaded(withFile(describeConfig(plain))).config, plain.config);
});

const TRUNKS = JSON.stringify([
  { name: "main", host: "sip.carrier.example", register: { user: "acme", password: "hush-hush" } },
]);

Deno.test("config: trunks and dial plan, their defaults, and what does not fit together", () => {
  const outbound = [{ match: "0.", trunks: ["main"], allow: ["pstn"] }];
  const env = {
    PORTZERO_TRUNKS: TRUNKS,
    PORTZERO_DIAL_PLAN_OUTBOUND: JSON.stringify(outbound),
    PORTZERO_DIALPLAN_INBOUND: '[{"match":"+4930555XXX","to":"1000"}]',
  };
  const good = loaded({ env });
  const [trunk] = good.config.trunks;
  assert.deepEqual([trunk?.port, trunk?.transport, trunk?.optionsSeconds], [0, "udp", 30]);
  assert.deepEqual([trunk?.codecs, trunk?.dtmf], [null, "rfc2833"]);
  assert.deepEqual(good.config.dialPlan.inbound[0]?.trunks, []);
  const listing = describeConfig(good);
  assert.ok(!listing.includes("hush-hush") && listing.includes("sip.carrier.example"));
  const wrong = [
    { PORTZERO_TRUNKS: "[" },
    { PORTZERO_TRUNKS: '[{"name":"main"}]' },
    { PORTZERO_TRUNKS: `[${TRUNKS.slice(1, -1)},${TRUNKS.slice(1, -1)}]` },
    { PORTZERO_TRUNKS: "[]" },
    { PORTZERO_TRUNKS: TRUNKS.replace('"name"', '"codecs":["mp3"],"name"') },
    { PORTZERO_TRUNKS: TRUNKS.replace('"name"', '"codecs":[],"name"') },
    { PORTZERO_TRUNKS: TRUNKS.replace('"name"', '"dtmf":"inband","name"') },
    { PORTZERO_DIAL_PLAN_OUTBOUND: '[{"match":"(","trunks":["main"],"allow":["pstn"]}]' },
    { PORTZERO_DIAL_PLAN_OUTBOUND: '[{"match":"0.","trunks":["main"],"allow":[]}]' },
    { PORTZERO_DIAL_PLAN_OUTBOUND: '[{"match":"0.","trunks":["other"],"allow":["pstn"]}]' },
  ];
  for (const change of wrong) {
    const [sentence] = faults({ env: { ...env, ...change } });
    assert.match(sentence ?? "", /expected/, JSON.stringify(change));
    assert.doesNotMatch(sentence ?? "", /hush/);
  }
});

Deno.test("config: hosts of a list, in any spelling; a star is any", () => {
  assert.ok(isAllowedHost(["*"], "anything.example"));
  assert.ok(isAllowedHost(["PBX.example.", "::1"], "pbx.example"));
  assert.ok(isAllowedHost(["::1"], "[::1]"));
  assert.ok(!isAllowedHost(["pbx.example"], "pbx.example.org"));
  assert.ok(!isAllowedHost([], "pbx.example"));
});

Deno.test("config: a secret's value is in no message", () => {
  const sentences = faults({
    env: { PORTZERO_API_TOKEN: "short", PORTZERO_SIP_ACCOUNTS: "a b:pw" },
  });
  assert.equal(sentences.length, 2);
  for (const sentence of sentences) assert.doesNotMatch(sentence, /short|pw/);
});

Deno.test("config: mistyped addresses are not taken for host names", () => {
  for (const bad of ["256.1.1.1", "10.0.0", "a b", "http://x", "host:80", "-x", ""]) {
    assert.equal(faults(withFile(JSON.stringify({ http: { host: bad } }))).length, 1, bad);
  }
  for (const good of ["10.0.0.1", "::", "my-host", "calls.example.org"]) {
    assert.equal(loaded(withFile(JSON.stringify({ http: { host: good } }))).config.http.host, good);
  }
});
