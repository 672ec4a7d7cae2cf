import { fileURLToPath } from "node:url";
import type { Certificate } from "../../../src/rtp/contract.ts";
import { makeCertificate } from "../../../src/rtp/io/dtls_certificate.ts";
import { type Arena, DENO_RUN } from "./arena.ts";
import type { Bench, Section } from "./bench.ts";
import { Background } from "./background.ts";
import type { Order, Outcome } from "./dtls_client.ts";
import { need } from "./needs.ts";
import { median, printRow } from "./summary.ts";

/**
 * DTLS set-ups with mutual P-256 certificates and use_srtp: our side by OpenSSL and by werift, the
 * same client against OpenSSL's own s_server, and the media plane as a whole. The client takes
 * them one after the other, since s_server can do no other.
 */
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const COUNT = 150;
const MANY_KEPT = 1000;
/** So that the garbage of V8, which it may keep, is not taken for the associations. */
const SMALL_YOUNG = ["--v8-flags=--max-semi-space-size=1"];
const WARM_UP = 30;
const S_SERVER_PORT = 32_010;
const POOL_PORT = 32_100;
const MUST_MS = 2;
/** Of the client's sockets. */
const FIRST_PORT = 12_000;
const LAST_PORT = 31_000;
let firstPort = FIRST_PORT;

interface Contender {
  readonly name: string;
  readonly background: Background;
  readonly port: number;
  readonly closes: boolean;
}

async function own(
  arena: Arena,
  library: "openssl" | "werift",
  file: string,
  flags: readonly string[] = [],
): Promise<Contender> {
  const args = [...DENO_RUN, ...flags, here("./dtls_server.ts"), library, file];
  const background = new Background(arena.spawn(0, Deno.execPath(), args));
  const [, port] = await background.until(/port (\d+) up/);
  return { name: `ours, ${library}`, background, port: Number(port), closes: false };
}

async function sServer(arena: Arena, certificate: Certificate): Promise<Contender> {
  const [cert, key] = [`${arena.folder}/cert.pem`, `${arena.folder}/key.pem`];
  await Deno.writeTextFile(cert, certificate.certificatePem);
  await Deno.writeTextFile(key, certificate.keyPem);
  const background = new Background(
    arena.spawn(0, "openssl", [
      ...["s_server", "-dtls1_2", "-accept", `127.0.0.1:${S_SERVER_PORT}`, "-cert", cert],
      ...["-key", key, "-Verify", "1", "-use_srtp", "SRTP_AES128_CM_SHA1_80", "-no_ticket"],
      ...["-cipher", "ECDHE+AESGCM:ECDHE+CHACHA20", "-mtu", "1200"],
    ], { stdin: "piped" }),
  );
  await background.until(/ACCEPT/);
  return { name: "s_server", background, port: S_SERVER_PORT, closes: true };
}

async function drive(arena: Arena, order: Omit<Order, "firstPort">): Promise<Outcome> {
  const file = `${arena.folder}/order.json`;
  if (firstPort > LAST_PORT) firstPort = FIRST_PORT;
  await Deno.writeTextFile(file, JSON.stringify({ ...order, firstPort } satisfies Order));
  const args = [...DENO_RUN, here("./dtls_client.ts"), file];
  const { stdout, stderr } = await arena.spawn(1, Deno.execPath(), args).output();
  const text = new TextDecoder().decode(stdout);
  if (text === "") throw new Error(`the DTLS client failed: ${new TextDecoder().decode(stderr)}`);
  const outcome = JSON.parse(text) as Outcome;
  firstPort = outcome.nextPort;
  return outcome;
}

function print(name: string, { count, cpuMs, wallMs, repeats }: Outcome): void {
  const each = cpuMs / count;
  const perSecond = (count * 1000 / wallMs).toFixed(0);
  printRow(name, count, each.toFixed(2), (1000 / each).toFixed(0), perSecond, repeats);
}

export const dtls: Section = {
  title: "DTLS set-ups, one after the other",
  isOursAlone: true,
  duration: ({ rounds }) => 15 + rounds * 8,
  run: async (bench) => {
    const cells = ["server", "handshakes", "CPU ms each", "a second of one core", "a second here"];
    printRow(...cells, "flights sent again");
    printRow(...Array(6).fill("---"));
    await servers(bench);
    await wholePlane(bench);
  },
};

async function servers({ arena, summary, rounds }: Bench): Promise<void> {
  const certificate = await makeCertificate();
  const file = `${arena.folder}/certificate.json`;
  await Deno.writeTextFile(file, JSON.stringify(certificate));
  const all: Contender[] = [];
  const found = new Map<string, Outcome[]>();
  try {
    all.push(await own(arena, "openssl", file), await own(arena, "werift", file));
    if (await need("openssl")) all.push(await sServer(arena, certificate));
    else console.log("openssl is not installed: s_server not measured.");
    for (let round = -1; round < rounds; round++) {
      for (const { name, background, port, closes } of all) {
        const count = round < 0 ? WARM_UP : COUNT;
        const { pid } = background;
        const outcome = await drive(arena, { port, pid, count, certificate, closes, checks: [] });
        if (round < 0) continue;
        print(name, outcome);
        found.set(name, [...found.get(name) ?? [], outcome]);
      }
    }
  } finally {
    for (const { background } of all) await background.end();
  }
  const each = (name: string) => (found.get(name) ?? []).map(({ cpuMs, count }) => cpuMs / count);
  const ours = each("ours, openssl");
  summary.add({ name: "DTLS handshake, our side", unit: "ms of CPU", values: ours, must: MUST_MS });
  for (const other of ["ours, werift", "s_server"]) {
    const values = each(other);
    if (values.length === 0) continue;
    summary.add({ name: `DTLS handshake, ${other}`, unit: "ms of CPU", values });
    const ratios = ours.map((value, i) => value / values[i]!);
    summary.add({ name: `DTLS handshake: ours / ${other}`, values: ratios });
  }
  await memoryKept(arena, certificate, file, summary);
}

/** What an association that is up costs; many of them, so that nothing else counts. */
async function memoryKept(
  arena: Arena,
  certificate: Certificate,
  file: string,
  summary: Bench["summary"],
): Promise<void> {
  const { background, port, closes } = await own(arena, "openssl", file, SMALL_YOUNG);
  try {
    const { pid } = background;
    const kept: number[] = [];
    for (const count of [MANY_KEPT, MANY_KEPT, MANY_KEPT]) {
      const outcome = await drive(arena, { port, pid, count, certificate, closes, checks: [] });
      const [before, after] = outcome.residentKb;
      kept.push((after - before) / count);
    }
    // In the first ones the process gets to its size.
    const values = kept.slice(1);
    summary.add({ name: "memory of a DTLS association that stays", unit: "KB", values });
  } finally {
    await background.end();
  }
}

/** The relay worker, the main thread and the handshake worker, an ICE check included. */
async function wholePlane({ arena, summary, rounds }: Bench): Promise<void> {
  const certificate = await makeCertificate();
  const total = WARM_UP + rounds * COUNT;
  const args = [...DENO_RUN, here("./setup_server.ts"), total, certificate.fingerprint, POOL_PORT];
  const background = new Background(arena.spawn(0, Deno.execPath(), args.map(String)));
  const each: number[] = [];
  const perSecond: number[] = [];
  try {
    const [, text] = await background.until(/^(\[.*\]) up$/m);
    const ends = JSON.parse(text!) as { iceUfrag: string; icePwd: string; port: number }[];
    for (let round = -1; round < rounds; round++) {
      const count = round < 0 ? WARM_UP : COUNT;
      const checks = ends.splice(0, count);
      const port = checks[0]!.port;
      const { pid } = background;
      const outcome = await drive(arena, { port, pid, count, certificate, closes: false, checks });
      if (round < 0) continue;
      print("media plane", outcome);
      each.push(outcome.cpuMs / count);
      perSecond.push(count * 1000 / outcome.wallMs);
    }
  } finally {
    await background.end();
  }
  summary.add(
    { name: "set-up (ICE, DTLS, keys) of the whole media plane", unit: "ms of CPU", values: each },
    { name: "set-ups of one core", unit: "a second", values: [1000 / median(each)] },
    { name: "set-ups here, one client after the other", unit: "a second", values: perSecond },
  );
}
