import { Buffer } from "node:buffer";
import { DtlsServer } from "werift";
import type { Certificate, HandshakeEvent, SrtpKeys, SrtpProfile } from "../contract.ts";
import { AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80 } from "../contract.ts";
import { ClientMessages } from "../dtls/client_messages.ts";
import {
  CONTENT,
  type DtlsRecord,
  handshakeRecord,
  MESSAGE,
  readRecords,
} from "../dtls/records.ts";
import { ClientRecords, ECDSA_AES_128 } from "./client_records.ts";
import { certificateVerifyFits, clientVerifyData, fingerprintFits } from "./tls12.ts";

/** How long the last flight can be repeated for a client that missed it, ms. */
const KEPT_AFTER_CONNECT = 30_000;
/** A handshake that takes longer has failed, ms. */
const HANDSHAKE_TIMEOUT = 20_000;

/** Encrypted records kept until what belongs before them is there. */
const MAX_EARLY = 4;
/** Bytes of a datagram that pass everywhere, as browsers reckon. */
const MAX_DATAGRAM = 1200;
/** What the library can export keys for. */
const KNOWN_PROFILES: readonly SrtpProfile[] = [AES_CM_128_HMAC_SHA1_80, AEAD_AES_128_GCM];

/** RTCCertificate of the library: ECDSA on P-256 with SHA-256 (RFC 5246 7.4.1.4.1). */
const SIGNATURE_HASH = { hash: 4, signature: 3 } as const;

export type HandshakeReport = Exclude<
  HandshakeEvent,
  { readonly type: "ready" | "start-failed" | "fault" }
>;

/**
 * One DTLS association, always the server (RFC 5763 5). The library does the handshake; here is
 * what it lacks: order, proof that the client owns its certificate, the fingerprint, and deafness
 * to what anybody could forge. Keys are given out once, and only when all of that is right.
 */
export class Handshake {
  readonly #id: number;
  readonly #report: (event: HandshakeReport) => void;
  #server: DtlsServer | null;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #alerts: ClientRecords | null = null;
  #fingerprints: readonly { readonly algorithm: string; readonly value: string }[] | null = null;
  #state: "new" | "handshaking" | "proven" | "connected" | "failed" | "closed" = "new";
  readonly #messages = new ClientMessages();
  /** Whether the library has all of the client's last flight but its Finished. */
  #isVerifyIn = false;
  /** What may be its Finished, come too early. */
  #early: Uint8Array[] = [];
  #outgoing: Uint8Array[] = [];
  /** What went wrong last; nobody authenticates it, so it is only said when time is up. */
  #trouble = "";

  constructor(
    id: number,
    certificate: Certificate,
    profiles: readonly SrtpProfile[],
    report: (event: HandshakeReport) => void,
  ) {
    this.#id = id;
    this.#report = report;
    const server = new DtlsServer({
      transport: {
        type: "udp",
        address: { address: "127.0.0.1", family: "IPv4", port: 0 },
        closed: false,
        onData: () => {},
        send: (data) => {
          this.#send(data);
          return Promise.resolve();
        },
        close: () => Promise.resolve(),
      },
      cert: certificate.certificatePem,
      key: certificate.keyPem,
      signatureHash: SIGNATURE_HASH,
      srtpProfiles: profiles.filter((profile) => KNOWN_PROFILES.includes(profile)) as (1 | 7)[],
      extendedMasterSecret: true,
      certificateRequest: true,
    });
    // It is called for each repetition of the client's last flight.
    server.onConnect.once(() => this.#connected());
    server.onError.subscribe((error) => {
      this.#trouble = String(error);
    });
    this.#server = server;
  }

  receive(data: Uint8Array): void {
    if (this.#state === "failed" || this.#state === "closed") return;
    if (this.#state === "new") {
      this.#state = "handshaking";
      this.#deadline = setTimeout(() => this.#fail(this.#timeoutText()), HANDSHAKE_TIMEOUT);
      this.#tell("handshaking");
    }
    for (const record of readRecords(data)) {
      // Alerts never reach the library, which would believe them.
      if (record.type === CONTENT.alert) this.#alert(record);
      else if (record.type === CONTENT.handshake) this.#handshake(record);
    }
  }

  setFingerprints(fingerprints: readonly { algorithm: string; value: string }[]): void {
    this.#fingerprints = fingerprints;
    if (this.#state === "proven") this.#open();
  }

  close(): void {
    this.#state = "closed";
    this.#free();
  }

  /**
   * The library sends each record in a datagram of its own. Those of one flight go out together:
   * what is one datagram is lost or not as a whole, and a ChangeCipherSpec alone is of no use.
   */
  #send(data: Uint8Array): void {
    if (this.#outgoing.length === 0) queueMicrotask(() => this.#flush());
    this.#outgoing.push(Uint8Array.from(data));
  }

  #flush(): void {
    const records = this.#outgoing;
    this.#outgoing = [];
    if (this.#state === "failed" || this.#state === "closed") return;
    for (let i = 0; i < records.length;) {
      let size = records[i]!.length;
      let end = i + 1;
      while (end < records.length && size + records[end]!.length <= MAX_DATAGRAM) {
        size += records[end++]!.length;
      }
      const data = new Uint8Array(size);
      for (let at = 0; i < end; at += records[i++]!.length) data.set(records[i]!, at);
      this.#report({ type: "dtls-send", endpoint: this.#id, data });
    }
  }

  #tell(state: "handshaking" | "connected" | "failed" | "closed", text?: string): void {
    const event = { type: "dtls", endpoint: this.#id, state } as const;
    this.#report(text === undefined ? event : { ...event, text });
  }

  #timeoutText(): string {
    const why = this.#trouble === "" ? "" : `; last trouble: ${this.#trouble}`;
    return this.#state === "proven"
      ? "the browser's fingerprint was not told within 20 s"
      : `the DTLS handshake was not through within 20 s${why}`;
  }

  get #isUp(): boolean {
    return this.#state === "proven" || this.#state === "connected";
  }

  #handshake(record: DtlsRecord): void {
    if (record.epoch > 0) {
      // The Finished, for the first time or again; it makes no sense before what it vouches for.
      if (this.#isVerifyIn) this.#pass(record.bytes);
      else if (this.#early.length < MAX_EARLY) this.#early.push(record.bytes.slice());
      return;
    }
    if (this.#isUp) return;
    for (const message of this.#messages.take(record.fragment)) {
      this.#pass(handshakeRecord(message.bytes));
      if (message.type !== MESSAGE.certificateVerify) continue;
      this.#isVerifyIn = true;
      for (const early of this.#early) this.#pass(early);
      this.#early = [];
    }
  }

  #pass(record: Uint8Array): void {
    try {
      // The library keeps slices of what it is given.
      this.#server?.transport.socket.onData(Buffer.from(record), ["127.0.0.1", 0]);
    } catch (error) {
      this.#trouble = String(error);
    }
  }

  #alert(record: DtlsRecord): void {
    if (!this.#isUp) {
      this.#trouble = `alert ${record.fragment[1] ?? "?"} from the browser`;
      return;
    }
    const description = this.#alerts?.closing(record.bytes) ?? null;
    if (description === null) return;
    this.#state = "closed";
    this.#free();
    this.#tell("closed", description === 0 ? "the browser closed it" : `alert ${description}`);
  }

  #connected(): void {
    const server = this.#server;
    if (server === null || this.#state !== "handshaking") return;
    const trouble = proofTrouble(server);
    if (trouble !== null) {
      this.#fail(trouble);
      return;
    }
    const { masterSecret, remoteRandom, localRandom } = server.cipher;
    // The library knows no other suite.
    this.#alerts = ClientRecords.of(
      ECDSA_AES_128,
      masterSecret,
      remoteRandom.serialize(),
      localRandom.serialize(),
    );
    this.#state = "proven";
    if (this.#fingerprints !== null) this.#open();
  }

  #open(): void {
    const server = this.#server;
    const certificate = server?.remoteCertificate;
    if (server === null || certificate === undefined || this.#fingerprints === null) return;
    if (!fingerprintFits(certificate, this.#fingerprints)) {
      this.#fail("the browser's certificate does not have the fingerprint that its SDP promised");
      return;
    }
    const keys = srtpKeys(server);
    if (keys === null) {
      this.#fail("the browser and we have no SRTP profile in common");
      return;
    }
    this.#state = "connected";
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#free(), KEPT_AFTER_CONNECT);
    this.#report({ type: "keys", endpoint: this.#id, keys });
    this.#tell("connected");
  }

  #fail(text: string): void {
    this.#state = "failed";
    this.#free();
    this.#tell("failed", text);
  }

  /** Lets go of the library's object; authentic alerts are still understood. */
  #free(): void {
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
    const server = this.#server;
    if (server === null) return;
    server.onConnect.allUnsubscribe();
    server.onError.allUnsubscribe();
    // Ends its repetitions: they go on while the flight is below the next one.
    server.dtls.flight = Number.MAX_SAFE_INTEGER;
    this.#server = null;
  }
}

/** What is missing in the proof that the client owns its certificate; null: nothing. */
function proofTrouble(server: DtlsServer): string | null {
  const certificate = server.remoteCertificate;
  if (certificate === undefined) return "the browser showed no certificate";
  const messages = server.dtls.sortedHandshakeCache;
  const before = (type: number) => {
    const end = messages.findIndex((message) => message.msg_type === type);
    return {
      message: messages[end],
      earlier: Buffer.concat(messages.slice(0, Math.max(0, end)).map((m) => m.serialize())),
    };
  };
  const verify = before(MESSAGE.certificateVerify);
  if (
    verify.message === undefined ||
    !certificateVerifyFits(certificate, verify.message.fragment, verify.earlier)
  ) return "the browser's signature does not fit its certificate";
  const finished = before(MESSAGE.finished);
  const expected = clientVerifyData(server.cipher.masterSecret, finished.earlier);
  if (finished.message === undefined || !expected.equals(finished.message.fragment)) {
    return "the browser's Finished does not fit the handshake";
  }
  return null;
}

function srtpKeys(server: DtlsServer): SrtpKeys | null {
  const profile = server.srtp.srtpProfile;
  if (profile !== AES_CM_128_HMAC_SHA1_80 && profile !== AEAD_AES_128_GCM) return null;
  const salt = profile === AEAD_AES_128_GCM ? 12 : 14;
  const { localKey, localSalt, remoteKey, remoteSalt } = server.extractSessionKeys(16, salt);
  return {
    profile,
    localKey: Uint8Array.from(localKey),
    localSalt: Uint8Array.from(localSalt),
    remoteKey: Uint8Array.from(remoteKey),
    remoteSalt: Uint8Array.from(remoteSalt),
  };
}
