import { Buffer } from "node:buffer";
import { DtlsServer } from "werift";
import type { Certificate, SrtpKeys, SrtpProfile } from "../contract.ts";
import { AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80 } from "../contract.ts";
import { ClientMessages } from "../dtls/client_messages.ts";
import { CONTENT, type DtlsRecord, handshakeRecord, MESSAGE } from "../dtls/records.ts";
import { Association, type HandshakeReport } from "./association.ts";
import { ClientRecords, ECDSA_AES_128 } from "./client_records.ts";
import { certificateVerifyFits, clientVerifyData } from "./tls12.ts";

/** How long the last flight can be repeated for a client that missed it, ms. */
const KEPT_AFTER_CONNECT = 30_000;
/** Encrypted records kept until what belongs before them is there. */
const MAX_EARLY = 4;
/** Bytes of a datagram that pass everywhere, as browsers reckon. */
const MAX_DATAGRAM = 1200;
/** What the library can export keys for. */
const KNOWN_PROFILES: readonly SrtpProfile[] = [AES_CM_128_HMAC_SHA1_80, AEAD_AES_128_GCM];

/** RTCCertificate of the library: ECDSA on P-256 with SHA-256 (RFC 5246 7.4.1.4.1). */
const SIGNATURE_HASH = { hash: 4, signature: 3 } as const;

/**
 * One DTLS association by werift. The library does the handshake; here is what it lacks: order,
 * proof that the client owns its certificate, and deafness to what anybody could forge.
 */
export class Handshake extends Association {
  #server: DtlsServer | null;
  /** Runs while the last flight can be repeated. */
  #kept: ReturnType<typeof setTimeout> | undefined;
  #alerts: ClientRecords | null = null;
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
    super(id, report);
    const server = new DtlsServer({
      transport: {
        type: "udp",
        address: { address: "127.0.0.1", family: "IPv4", port: 0 },
        closed: false,
        onData: () => {},
        send: (data) => {
          this.#gather(data);
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

  protected take(record: DtlsRecord): void {
    // Alerts never reach the library, which would believe them.
    if (record.type === CONTENT.alert) this.#alert(record);
    else if (record.type === CONTENT.handshake) this.#handshake(record);
  }

  protected certificate(): Uint8Array | null {
    return this.#server?.remoteCertificate ?? null;
  }

  protected keys(): SrtpKeys | null {
    return this.#server && srtpKeys(this.#server);
  }

  protected settle(): void {
    this.#kept = setTimeout(() => this.free(), KEPT_AFTER_CONNECT);
  }

  protected override get trouble(): string {
    return this.#trouble;
  }

  /**
   * The library sends each record in a datagram of its own. Those of one flight go out together:
   * what is one datagram is lost or not as a whole, and a ChangeCipherSpec alone is of no use.
   */
  #gather(data: Uint8Array): void {
    if (this.#outgoing.length === 0) queueMicrotask(() => this.#flush());
    this.#outgoing.push(Uint8Array.from(data));
  }

  #flush(): void {
    const records = this.#outgoing;
    this.#outgoing = [];
    if (this.isOver) return;
    for (let i = 0; i < records.length;) {
      let size = records[i]!.length;
      let end = i + 1;
      while (end < records.length && size + records[end]!.length <= MAX_DATAGRAM) {
        size += records[end++]!.length;
      }
      const data = new Uint8Array(size);
      for (let at = 0; i < end; at += records[i++]!.length) data.set(records[i]!, at);
      this.send(data);
    }
  }

  #handshake(record: DtlsRecord): void {
    if (record.epoch > 0) {
      // The Finished, for the first time or again; it makes no sense before what it vouches for.
      if (this.#isVerifyIn) this.#pass(record.bytes);
      else if (this.#early.length < MAX_EARLY) this.#early.push(record.bytes.slice());
      return;
    }
    if (this.isUp) return;
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
    if (!this.isUp) {
      this.#trouble = `alert ${record.fragment[1] ?? "?"} from the browser`;
      return;
    }
    const description = this.#alerts?.closing(record.bytes) ?? null;
    if (description !== null) this.closeByAlert(description);
  }

  #connected(): void {
    const server = this.#server;
    if (server === null || !this.isHandshaking) return;
    const trouble = proofTrouble(server);
    if (trouble !== null) {
      this.fail(trouble);
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
    this.prove();
  }

  /** Lets go of the library's object; authentic alerts are still understood. */
  protected free(): void {
    clearTimeout(this.#kept);
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
