import type { Certificate, HandshakeEvent } from "../../../src/rtp/contract.ts";
import { DtlsContext } from "../../../src/rtp/io/ffi/dtls_context.ts";
import { OpensslHandshake } from "../../../src/rtp/io/ffi/openssl_handshake.ts";
import { Handshake } from "../../../src/rtp/io/handshake.ts";

/**
 * Our side of DTLS behind one UDP socket, as in the handshake worker: `dtls_server.ts openssl|werift
 * CERTIFICATE`. The certificate is a file of JSON; far ends have the same. Associations stay.
 */
const [library, file] = Deno.args;
const certificate = JSON.parse(Deno.readTextFileSync(file!)) as Certificate;
const fingerprints = [{ algorithm: "sha-256", value: certificate.fingerprint }];
const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
const context = library === "openssl" ? new DtlsContext(certificate, [1]) : null;
type Side = Pick<Handshake, "receive" | "setFingerprints" | "close">;
const sides = new Map<number, Side>();
const connected = new Set<number>();
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;

function open(to: Deno.NetAddr): Side {
  const report = (event: HandshakeEvent) => {
    if (event.type === "dtls-send") void socket.send(event.data, to);
    if (event.type !== "dtls") return;
    if (event.state === "connected") connected.add(to.port);
    if (event.state === "failed") console.error(event.text);
  };
  const side = context === null
    ? new Handshake(to.port, certificate, [1], report)
    : new OpensslHandshake(to.port, context, report);
  side.setFingerprints(fingerprints);
  sides.set(to.port, side);
  return side;
}

/** The system gives a client a port that another one had before. */
function forget(port: number, data: Uint8Array): void {
  if (data[0] !== HANDSHAKE || data[13] !== CLIENT_HELLO || !connected.delete(port)) return;
  sides.get(port)?.close();
  sides.delete(port);
}

console.log(`port ${(socket.addr as Deno.NetAddr).port} up`);
for await (const [data, from] of socket) {
  const to = from as Deno.NetAddr;
  forget(to.port, data);
  (sides.get(to.port) ?? open(to)).receive(data);
}
