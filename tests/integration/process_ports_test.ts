import assert from "node:assert/strict";
import { CONFIG_KEYS } from "../../src/core/config/schema.ts";
import { LISTENER_KEYS } from "../../src/core/listen_fault.ts";
import { Child } from "../support/child_process.ts";

/** The real server where others have its ports: it says which setting moves each. */

const ROOT = new URL("../../", import.meta.url).pathname;
const HOST = "127.0.0.1";

/** Starts with these settings and gives its sentences; it must not come up. */
async function refusal(env: Readonly<Record<string, string>>, ...args: string[]) {
  const directory = await Deno.makeTempDir({ prefix: "portzero-" });
  const child = new Child(Deno.execPath(), ["run", "-A", "--no-check", "main.ts", ...args], {
    cwd: ROOT,
    env: {
      PORTZERO_HTTP_PORT: "0",
      PORTZERO_HTTP_TLS_PORT: "0",
      PORTZERO_HTTP_REST_PORT: "0",
      PORTZERO_HTTP_REST_TLS_PORT: "0",
      PORTZERO_SIP_PORT: "0",
      PORTZERO_SIP_TLS_PORT: "0",
      PORTZERO_MEDIA_ADDRESSES: HOST,
      PORTZERO_MEDIA_PORT_FROM: "26000",
      PORTZERO_MEDIA_PORT_TO: "26999",
      PORTZERO_DATA_DIRECTORY: directory,
      ...env,
    },
  });
  try {
    const { code } = await child.ended(60_000);
    assert.equal(code, 1, child.output);
    return child.output.split("\n").filter((line) => line.startsWith("portzero: "))
      .map((line) => line.slice("portzero: ".length));
  } finally {
    await child[Symbol.asyncDispose]();
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("ports: all web ports that others have are named at once, with what moves them", async () => {
  const names = ["http", "https", "rest", "rest tls"];
  const taken = names.map(() => Deno.listen({ hostname: HOST, port: 0 }));
  try {
    const variables = ["PORT", "TLS_PORT", "REST_PORT", "REST_TLS_PORT"];
    const ports = taken.map(({ addr }) => addr.port);
    const env = Object.fromEntries(
      variables.map((name, i) => [`PORTZERO_HTTP_${name}`, String(ports[i])]),
    );
    const keys = ["port", "tlsPort", "restPort", "restTlsPort"];
    assert.deepEqual(
      await refusal(env),
      names.map((name, i) =>
        `Port ${ports[i]} (${name}) of ${HOST} is in use by another process; give it another by ` +
        `http.${keys[i]} (PORTZERO_HTTP_${variables[i]})`
      ),
    );
  } finally {
    for (const listener of taken) listener.close();
  }
});

Deno.test("ports: those of SIP too", async () => {
  const [tcp, tls] = [0, 0].map((port) => Deno.listen({ hostname: HOST, port }));
  assert(tcp && tls);
  try {
    const ports = [tcp, tls].map(({ addr }) => String(addr.port));
    const [port = "", tlsPort = ""] = ports;
    const inUse = "is in use by another process; give it another by";
    assert.deepEqual(await refusal({ PORTZERO_SIP_PORT: port, PORTZERO_SIP_TLS_PORT: tlsPort }), [
      `Port ${port} (sip tcp) of ${HOST} ${inUse} sip.port (PORTZERO_SIP_PORT)`,
      `Port ${tlsPort} (sip tls) of ${HOST} ${inUse} sip.tlsPort (PORTZERO_SIP_TLS_PORT)`,
    ]);
  } finally {
    tcp.close();
    tls.close();
  }
});

Deno.test("ports: the range of media ports in either shell", async () => {
  const taken = Deno.listenDatagram({ transport: "udp", hostname: HOST, port: 0 });
  try {
    const { port } = taken.addr as Deno.NetAddr;
    const range = { PORTZERO_MEDIA_PORT_FROM: `${port}`, PORTZERO_MEDIA_PORT_TO: `${port}` };
    for (const args of [[], ["--no-ffi"]]) {
      assert.deepEqual(await refusal(range, ...args), [
        `the media workers could not be started: no UDP port from ${port} to ${port} is free on ` +
        `${HOST}; end what uses them, or move the range by ` +
        "media.portFrom (PORTZERO_MEDIA_PORT_FROM) and media.portTo (PORTZERO_MEDIA_PORT_TO)",
      ]);
    }
  } finally {
    taken.close();
  }
});

Deno.test("ports: the keys that messages name are there", () => {
  for (const [name, keys] of Object.entries(LISTENER_KEYS)) {
    for (const key of Object.values(keys)) assert(CONFIG_KEYS.has(key), `${name}: ${key}`);
  }
});
