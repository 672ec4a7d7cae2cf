import { Buffer } from "node:buffer";
import type { Certificate, SrtpProfile } from "../../contract.ts";
import { fingerprintFits } from "../tls12.ts";
import { type DtlsConnection, DtlsContext } from "./dtls_context.ts";
import { type Libssl, openLibssl, takeErrors } from "./libssl.ts";

/** More than enough for four flights. */
const MAX_TURNS = 20;
const PROFILES: readonly SrtpProfile[] = [7, 8, 1, 2];

/** Which library does the handshakes. */
export interface DtlsChoice {
  readonly isOpenssl: boolean;
  /** Its name and why it was chosen, for the log. */
  readonly text: string;
}

/**
 * OpenSSL where it has just done a handshake with itself, else werift.
 * @param without why there can be no FFI; null: it may be tried
 * @param own what is shown to browsers
 */
export function chooseDtls(
  without: string | null,
  own: Certificate,
  open: () => Libssl = openLibssl,
): DtlsChoice {
  if (without !== null) return { isOpenssl: false, text: `werift (${without})` };
  try {
    checkDtls(own, open());
    return { isOpenssl: true, text: "OpenSSL (its test handshake passed)" };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { isOpenssl: false, text: `werift (${text})` };
  }
}

/**
 * A handshake of OpenSSL with itself, for each profile: it comes to an end, both sides have the
 * same keys, and the certificate that was shown is the one that we have.
 * @throws Error naming what is wrong
 */
export function checkDtls(certificate: Certificate, library: Libssl): void {
  for (const profile of PROFILES) {
    const contexts = [
      new DtlsContext(certificate, PROFILES, "server", undefined, library),
      new DtlsContext(certificate, [profile], "client", undefined, library),
    ] as const;
    const server = contexts[0].connection("server");
    const client = contexts[1].connection("client");
    try {
      checkPair(server, client, profile, certificate.fingerprint);
    } finally {
      for (const connection of [server, client]) connection.free();
      for (const context of contexts) context.free();
    }
  }
}

function checkPair(
  server: DtlsConnection,
  client: DtlsConnection,
  profile: SrtpProfile,
  fingerprint: string,
): void {
  let done = 0;
  for (let turn = 0; turn < MAX_TURNS && done < 2; turn++) {
    done = 0;
    for (const [from, to] of [[client, server], [server, client]] as const) {
      if (from.library.SSL_do_handshake(from.ssl) === 1) done++;
      for (const datagram of from.takeDatagrams()) to.write(datagram);
    }
  }
  const words = takeErrors(server.library);
  if (done < 2) throw new Error(`OpenSSL's test handshake came to no end: ${words}`);
  const shown = server.certificate();
  if (shown === null || !fingerprintFits(shown, [{ algorithm: "sha-256", value: fingerprint }])) {
    throw new Error("OpenSSL's test handshake showed another certificate");
  }
  const [ours, theirs] = [server.keys("server"), client.keys("client")];
  const isSame = ours?.profile === profile && theirs !== null &&
    Buffer.from(ours.localKey).equals(theirs.remoteKey) &&
    Buffer.from(ours.localSalt).equals(theirs.remoteSalt) &&
    Buffer.from(ours.remoteKey).equals(theirs.localKey) &&
    Buffer.from(ours.remoteSalt).equals(theirs.localSalt) &&
    !Buffer.from(ours.localKey).equals(ours.remoteKey);
  if (!isSame) throw new Error(`OpenSSL's test handshake has wrong keys for profile ${profile}`);
  client.library.SSL_shutdown(client.ssl);
  const [farewell] = client.takeDatagrams();
  if (farewell === undefined || server.clientRecords()?.closing(farewell) !== 0) {
    throw new Error("the end of OpenSSL's test handshake was not understood");
  }
}
