import type { Certificate, HandshakeCommand, HandshakeEvent, SrtpProfile } from "../contract.ts";
import type { Association, HandshakeReport } from "./association.ts";
import { makeCertificate } from "./dtls_certificate.ts";
import { DtlsContext } from "./ffi/dtls_context.ts";
import { chooseDtls } from "./ffi/dtls_check.ts";
import type { WithoutFfi } from "./ffi/link.ts";
import { OpensslHandshake } from "./ffi/openssl_handshake.ts";
import { Handshake } from "./handshake.ts";

/** Entry point of the handshake worker: all DTLS associations of the process. */

const scope = globalThis as unknown as {
  onmessage: ((message: MessageEvent<HandshakeCommand | WithoutFfi>) => void) | null;
  postMessage(event: HandshakeEvent): void;
  close(): void;
};

const handshakes = new Map<number, Association>();
/** Contexts of OpenSSL by their profiles; null: it is not used. */
let contexts: Map<string, DtlsContext> | null = null;
let without: string | null = null;
let certificate: Certificate | null = null;
let allowCrash = false;

async function start(given: Certificate | null): Promise<void> {
  try {
    certificate = given ?? await makeCertificate();
    const { isOpenssl, text } = chooseDtls(without, certificate);
    if (isOpenssl) contexts = new Map();
    scope.postMessage({ type: "ready", certificate, library: text });
  } catch (error) {
    scope.postMessage({ type: "start-failed", text: String(error) });
  }
}

function open(
  id: number,
  own: Certificate,
  profiles: readonly SrtpProfile[],
): Association {
  const report = (event: HandshakeReport) => scope.postMessage(event);
  if (contexts === null) return new Handshake(id, own, profiles, report);
  const name = profiles.join(",");
  let context = contexts.get(name);
  if (context === undefined) contexts.set(name, context = new DtlsContext(own, profiles));
  return new OpensslHandshake(id, context, report);
}

function take(command: HandshakeCommand): void {
  switch (command.type) {
    case "start":
      allowCrash = command.allowCrash;
      start(command.certificate);
      break;
    case "open":
      if (certificate === null) return;
      handshakes.set(command.endpoint, open(command.endpoint, certificate, command.profiles));
      break;
    case "fingerprints":
      handshakes.get(command.endpoint)?.setFingerprints(command.fingerprints);
      break;
    case "dtls-receive":
      handshakes.get(command.endpoint)?.receive(command.data);
      break;
    case "close":
      handshakes.get(command.endpoint)?.close();
      handshakes.delete(command.endpoint);
      break;
    case "crash":
      if (allowCrash) throw new Error("crash command");
      break;
    case "shutdown":
      for (const handshake of handshakes.values()) handshake.close();
      handshakes.clear();
      scope.close();
      break;
  }
}

scope.onmessage = ({ data }) => {
  if (data.type === "without-ffi") without = data.why;
  else take(data);
};

// A promise that the library left alone ends no other association.
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  scope.postMessage({ type: "fault", text: String(event.reason) });
});
