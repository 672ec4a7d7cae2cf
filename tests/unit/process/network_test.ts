import assert from "node:assert/strict";
import { loadConfig } from "../../../src/core/config/load.ts";
import type { Config } from "../../../src/core/config/schema.ts";
import {
  type InterfaceAddress,
  lanAddresses,
  mediaAddresses,
  ownNames,
} from "../../../src/core/io/network.ts";
import { type ReadyFacts, readyLines } from "../../../src/core/io/ready.ts";
import { err } from "../../../src/core/result.ts";

const DEFAULTS = Deno.readTextFileSync(new URL("../../../config/default.jsonc", import.meta.url));

function config(env: Readonly<Record<string, string>>): Config {
  const readFile = () => err("none");
  const loaded = loadConfig({
    commandLine: { request: "start" },
    env,
    defaults: DEFAULTS,
    readFile,
  });
  assert.ok(loaded.ok);
  return loaded.value.config;
}

const at = (name: string, address: string): InterfaceAddress => ({
  name,
  address,
  family: address.includes(":") ? "IPv6" : "IPv4",
});

const MACHINE = [
  at("lo", "127.0.0.1"),
  at("lo", "::1"),
  at("docker0", "172.17.0.1"),
  at("eth1", "10.1.1.1"),
  at("wlan0", "192.168.1.5"),
  at("wlan0", "2001:db8::5"),
  at("wlan0", "fe80::1"),
  at("eth2", "169.254.3.4"),
];

Deno.test("network: addresses of others' use, the default route's first, containers' last", () => {
  assert.deepEqual(lanAddresses(MACHINE, "wlan0"), ["192.168.1.5", "10.1.1.1", "172.17.0.1"]);
  assert.deepEqual(lanAddresses(MACHINE, ""), ["10.1.1.1", "192.168.1.5", "172.17.0.1"]);
  const six = MACHINE.filter(({ family }) => family === "IPv6");
  assert.deepEqual(lanAddresses(six, "wlan0"), ["2001:db8::5"]);
  assert.deepEqual(lanAddresses([at("lo", "127.0.0.1")], ""), []);
});

Deno.test("network: media listens on loopback and the machine's own address, or as told", () => {
  const media = (env: Record<string, string>, machine = MACHINE) => {
    const result = mediaAddresses(config(env), machine);
    return result.ok ? result.value : result.error;
  };
  const own = media({});
  assert.ok(Array.isArray(own) && own.length === 2 && own[0] === "127.0.0.1");
  assert.deepEqual(media({}, [at("lo", "127.0.0.1")]), ["127.0.0.1"]);
  assert.equal(media({ PORTZERO_HTTP_HOST: "0.0.0.0" }).length, 4);
  const one = { PORTZERO_HTTP_HOST: "10.1.1.1" };
  assert.deepEqual(media(one), ["127.0.0.1", "10.1.1.1"]);
  const listed = { PORTZERO_MEDIA_ADDRESSES: "10.1.1.1,127.0.0.1,10.1.1.1" };
  assert.deepEqual(media(listed), ["10.1.1.1", "127.0.0.1"]);
  assert.match(
    String(media({ PORTZERO_MEDIA_ADDRESSES: "203.0.113.7" })),
    /^media\.addresses names 203\.0\.113\.7: expected addresses of this machine \(127/,
  );
});

Deno.test("network: the names of an exposed server", () => {
  const lan = ["192.168.1.5"];
  const allowed = { PORTZERO_HTTP_ALLOWED_HOSTS: "calls.example.org" };
  assert.deepEqual(ownNames(config({}), lan), []);
  assert.deepEqual(ownNames(config({ ...allowed, PORTZERO_HTTP_HOST: "::" }), lan), [
    "192.168.1.5",
    "calls.example.org",
  ]);
  assert.deepEqual(ownNames(config({ PORTZERO_HTTP_HOST: "10.1.1.1" }), lan), ["10.1.1.1"]);
});

const FACTS: ReadyFacts = {
  version: "1.2.3",
  tookMs: 1234,
  host: "127.0.0.1",
  isExposed: false,
  ports: { http: 8080, tls: 8443, rest: 8081, restTls: 8444 },
  media: {
    addresses: ["127.0.0.1"],
    publicAddress: "",
    portFrom: 30000,
    portTo: 30999,
    workers: 3,
  },
  lanAddresses: [],
  hostNames: [],
  isCertificateSelfSigned: true,
};

Deno.test("ready: the first line has the word and the pages", () => {
  const [first, ...rest] = readyLines(FACTS);
  assert.equal(
    first,
    "Port Zero 1.2.3 ready in 1.2 s: phone http://localhost:8080/, " +
      "operators' console http://localhost:8080/console",
  );
  const text = rest.join("\n");
  for (const part of ["8443", "8081", "8444", "30000-30999 on 127.0.0.1, 3 workers"]) {
    assert.ok(text.includes(part), part);
  }
  assert.doesNotMatch(text, /token|self-signed/);
});

Deno.test("ready: a line says where SIP is served", () => {
  const line = (sip: NonNullable<ReadyFacts["sip"]>) =>
    readyLines({ ...FACTS, sip }).find((one) => one.startsWith("  SIP "))?.slice(14);
  const both = { host: "127.0.0.1", transports: ["udp", "tcp"], port: 5060, tlsPort: 5061 };
  assert.equal(line(both), "udp+tcp 127.0.0.1:5060, tls 5061");
  assert.equal(line({ ...both, tlsPort: undefined }), "udp+tcp 127.0.0.1:5060");
  assert.equal(line({ ...both, host: "::1", transports: [] }), "tls [::1]:5061");
  assert.equal(line({ ...both, transports: [], tlsPort: undefined }), "WebSocket only");
  assert.ok(!readyLines(FACTS).some((one) => one.startsWith("  SIP ")));
});

Deno.test("ready: a line says what is transcoded, and which library is missing for what", () => {
  const line = (codecs?: ReadyFacts["codecs"]) =>
    readyLines({ ...FACTS, ...(codecs ? { codecs } : {}) })
      .find((one) => one.startsWith("  codecs "))?.slice(14);
  assert.equal(line(), "no transcoding");
  assert.equal(line([]), "no transcoding");
  assert.equal(line("starting"), "still starting; the log will say, and /api/health");
  const opus = { codec: "OPUS", available: true, why: "no libopus, so WebAssembly" };
  const pcmu = { codec: "PCMU", available: true, why: null };
  assert.equal(line([opus, pcmu]), "OPUS, PCMU transcoded");
  const why = "libbcg729.so.0: cannot open shared object file";
  const missing = [
    { codec: "G729", available: false, why },
    { codec: "SPEEX/8000", available: false, why: null },
  ];
  assert.equal(
    line([opus, ...missing]),
    `OPUS transcoded; missing: G729 (${why}), SPEEX/8000`,
  );
});

Deno.test("ready: other machines are shown https only, IPv6 in brackets, and the token", () => {
  const facts = { ...FACTS, isExposed: true, token: "t0ken" };
  const all = readyLines({ ...facts, host: "0.0.0.0", lanAddresses: ["10.0.0.5", "2001:db8::5"] })
    .join("\n");
  assert.ok(all.includes("  https://10.0.0.5:8443/\n  https://[2001:db8::5]:8443/\n"));
  assert.doesNotMatch(all, /http:\/\/10\./);
  assert.ok(all.includes("token for console and REST: t0ken"));
  const one = readyLines({ ...facts, host: "10.0.0.5", isTokenConfigured: true }).join("\n");
  assert.ok(one.includes("phone http://10.0.0.5:8080/") && !one.includes("t0ken"));
});
