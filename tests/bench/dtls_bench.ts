import { RTCDtlsTransport } from "werift";
import type { Certificate, HandshakeEvent } from "../../src/rtp/contract.ts";
import { DtlsContext } from "../../src/rtp/io/ffi/dtls_context.ts";
import { OpensslHandshake } from "../../src/rtp/io/ffi/openssl_handshake.ts";
import { Handshake } from "../../src/rtp/io/handshake.ts";

/**
 * CPU of our side of a DTLS handshake, by OpenSSL and by werift: `deno task bench:dtls
 * [HANDSHAKES]`. The client is OpenSSL's in the same process; its time is measured by itself and
 * taken off. Linux.
 */
const count = Number(Deno.args[0] ?? 200);

const made = await RTCDtlsTransport.SetupCertificate();
const certificate: Certificate = {
  certificatePem: made.certPem,
  keyPem: made.privateKey,
  fingerprint: made.getFingerprints()[0]!.value.toUpperCase(),
};
const fingerprints = [{ algorithm: "sha-256", value: certificate.fingerprint }];
const clients = new DtlsContext(certificate, [1], "client");
const servers = new DtlsContext(certificate, [1]);

type Side = Pick<Handshake, "receive" | "setFingerprints" | "close">;
type Maker = (report: (event: HandshakeEvent) => void) => Side;

/** CPU time of all threads of this process, ms. */
function cpuTime(): number {
  let sum = 0;
  for (const { name } of Deno.readDirSync("/proc/self/task")) {
    sum += Number(Deno.readTextFileSync(`/proc/self/task/${name}/schedstat`).split(" ")[0]);
  }
  return sum / 1e6;
}

/** CPU time of this thread, ms. */
function threadTime(): number {
  return Number(Deno.readTextFileSync("/proc/thread-self/schedstat").split(" ")[0]) / 1e6;
}

let clientTime = 0;

/** One handshake to its end. */
async function handshake(make: Maker): Promise<void> {
  const client = clients.connection("client");
  let server: Side | null = null;
  let isOver = false;
  await new Promise<void>((resolve, reject) => {
    const step = () => {
      // What it has freed the library must not see again.
      if (isOver) return;
      const start = threadTime();
      client.library.SSL_do_handshake(client.ssl);
      const datagrams = client.takeDatagrams();
      clientTime += threadTime() - start;
      for (const datagram of datagrams) server?.receive(datagram);
    };
    server = make((event) => {
      if (event.type === "dtls-send") {
        client.write(event.data);
        // Like a network, it takes a moment.
        setTimeout(step, 0);
      } else if (event.type === "dtls" && event.state === "connected") resolve();
      else if (event.type === "dtls" && event.state === "failed") reject(new Error(event.text));
    });
    server.setFingerprints(fingerprints);
    step();
  });
  isOver = true;
  (server as Side | null)?.close();
  client.free();
}

const MAKERS: readonly (readonly [string, Maker])[] = [
  ["OpenSSL", (report) => new OpensslHandshake(1, servers, report)],
  ["werift", (report) => new Handshake(1, certificate, [1], report)],
];

console.log("| library | handshakes | CPU ms each, our side | a second on one core |");
console.log("|---|---|---|---|");
for (const [name, make] of MAKERS) {
  for (let i = 0; i < 20; i++) await handshake(make);
  clientTime = 0;
  const before = cpuTime();
  for (let i = 0; i < count; i++) await handshake(make);
  const each = (cpuTime() - before - clientTime) / count;
  console.log(`| ${name} | ${count} | ${each.toFixed(2)} | ${(1000 / each).toFixed(0)} |`);
}
Deno.exit(0);
