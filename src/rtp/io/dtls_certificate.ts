import { RTCDtlsTransport } from "werift";
import type { Certificate } from "../contract.ts";

/** A new certificate of our side of DTLS. @throws Error where none can be made */
export async function makeCertificate(): Promise<Certificate> {
  const made = await RTCDtlsTransport.SetupCertificate();
  const fingerprint = made.getFingerprints().find(({ algorithm }) => algorithm === "sha-256");
  if (fingerprint === undefined) throw new Error("the new certificate has no SHA-256 fingerprint");
  return {
    certificatePem: made.certPem,
    keyPem: made.privateKey,
    fingerprint: fingerprint.value.toUpperCase(),
  };
}
