import type { HandshakeEvent, SrtpKeys } from "../contract.ts";
import { type DtlsRecord, readRecords } from "../dtls/records.ts";
import { fingerprintFits } from "./tls12.ts";

/** A handshake that takes longer has failed, ms. */
const HANDSHAKE_TIMEOUT = 20_000;

export type HandshakeReport = Exclude<
  HandshakeEvent,
  { readonly type: "ready" | "start-failed" | "fault" }
>;

type State = "new" | "handshaking" | "proven" | "connected" | "failed" | "closed";

/**
 * How far one DTLS association has come, always the server (RFC 5763 5), and what is told of it,
 * whichever library does the handshake. Keys are given out once: when the client has proven that it
 * owns its certificate, and that has the fingerprint that its SDP promised.
 */
export abstract class Association {
  readonly #id: number;
  readonly #report: (event: HandshakeReport) => void;
  #state: State = "new";
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #fingerprints: readonly { readonly algorithm: string; readonly value: string }[] | null = null;

  constructor(id: number, report: (event: HandshakeReport) => void) {
    this.#id = id;
    this.#report = report;
  }

  /** One datagram. */
  receive(data: Uint8Array): void {
    if (this.isOver) return;
    if (this.#state === "new") {
      this.#state = "handshaking";
      this.#deadline = setTimeout(() => this.fail(this.#timeoutText()), HANDSHAKE_TIMEOUT);
      this.#tell("handshaking");
    }
    for (const record of readRecords(data)) this.take(record);
  }

  setFingerprints(fingerprints: readonly { algorithm: string; value: string }[]): void {
    this.#fingerprints = fingerprints;
    if (this.#state === "proven") this.#open();
  }

  close(): void {
    this.#end("closed");
  }

  // --- what a library's side is asked ---

  protected abstract take(record: DtlsRecord): void;

  /** The client's certificate, DER; null: it showed none. Asked once it is proven. */
  protected abstract certificate(): Uint8Array | null;

  /** Null: no SRTP profile in common. */
  protected abstract keys(): SrtpKeys | null;

  /** Keys are out, and it is told. */
  protected abstract settle(): void;

  /** Lets go of the library's object and of all timers. */
  protected abstract free(): void;

  /** What went wrong last, or nothing; only said when time is up. */
  protected get trouble(): string {
    return "";
  }

  // --- what it tells ---

  protected get isHandshaking(): boolean {
    return this.#state === "handshaking";
  }

  protected get isUp(): boolean {
    return this.#state === "proven" || this.#state === "connected";
  }

  protected get isOver(): boolean {
    return this.#state === "failed" || this.#state === "closed";
  }

  protected send(data: Uint8Array): void {
    this.#report({ type: "dtls-send", endpoint: this.#id, data });
  }

  /** The client owns its certificate. */
  protected prove(): void {
    this.#state = "proven";
    this.#open();
  }

  protected fail(text: string): void {
    this.#end("failed");
    this.#tell("failed", text);
  }

  /** The client has ended it, and that is authentic. */
  protected closeBy(text: string): void {
    this.#end("closed");
    this.#tell("closed", text);
  }

  /** @param description of an authentic alert (RFC 5246 7.2) */
  protected closeByAlert(description: number): void {
    this.closeBy(description === 0 ? "the browser closed it" : `alert ${description}`);
  }

  #open(): void {
    if (this.#fingerprints === null) return;
    const certificate = this.certificate();
    if (certificate === null || !fingerprintFits(certificate, this.#fingerprints)) {
      this.fail("the browser's certificate does not have the fingerprint that its SDP promised");
      return;
    }
    const keys = this.keys();
    if (keys === null) {
      this.fail("the browser and we have no SRTP profile in common");
      return;
    }
    this.#state = "connected";
    clearTimeout(this.#deadline);
    this.#report({ type: "keys", endpoint: this.#id, keys });
    this.#tell("connected");
    this.settle();
  }

  #end(state: "failed" | "closed"): void {
    this.#state = state;
    clearTimeout(this.#deadline);
    this.free();
  }

  #timeoutText(): string {
    const why = this.trouble === "" ? "" : `; last trouble: ${this.trouble}`;
    return this.#state === "proven"
      ? "the browser's fingerprint was not told within 20 s"
      : `the DTLS handshake was not through within 20 s${why}`;
  }

  #tell(state: "handshaking" | "connected" | "failed" | "closed", text?: string): void {
    const event = { type: "dtls", endpoint: this.#id, state } as const;
    this.#report(text === undefined ? event : { ...event, text });
  }
}
