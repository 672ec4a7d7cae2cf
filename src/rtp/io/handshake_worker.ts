import { RTCDtlsTransport } from "werift";
import type { Certificate, HandshakeCommand, HandshakeEvent } from "../contract.ts";
import { Handshake } from "./handshake.ts";

/** Entry point of the handshake worker: all DTLS associations of the process. */

const scope = globalThis as unknown as {
  onmessage: ((message: MessageEvent<HandshakeCommand>) => void) | null;
  postMessage(event: HandshakeEvent): void;
  close(): void;
};

const handshakes = new Map<number, Handshake>();
let certificate: Certificate | null = null;
let allowCrash = false;

async function makeCertificate(): Promise<Certificate> {
  const made = await RTCDtlsTransport.SetupCertificate();
  const fingerprint = made.getFingerprints().find(({ algorithm }) => algorithm === "sha-256");
  if (fingerprint === undefined) throw new Error("the new certificate has no SHA-256 fingerprint");
  return {
    certificatePem: made.certPem,
    keyPem: made.privateKey,
    fingerprint: fingerprint.value.toUpperCase(),
  };
}

async function start(given: Certificate | null): Promise<void> {
  try {
    certificate = given ?? await makeCertificate();
    scope.postMessage({ type: "ready", certificate });
  } catch (error) {
    scope.postMessage({ type: "start-failed", text: String(error) });
  }
}

function take(command: HandshakeCommand): void {
  switch (command.type) {
    case "start":
      allowCrash = command.allowCrash;
      start(command.certificate);
      break;
    case "open":
      if (certificate === null) return;
      handshakes.set(
        command.endpoint,
        new Handshake(command.endpoint, certificate, command.profiles, (event) => {
          scope.postMessage(event);
        }),
      );
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

scope.onmessage = ({ data }) => take(data);

// A promise that the library left alone ends no other association.
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  scope.postMessage({ type: "fault", text: String(event.reason) });
});
