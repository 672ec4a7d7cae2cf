import type { SrtpKeys } from "../../contract.ts";
import { ClientMessages, ORDER_WITHOUT_COOKIE } from "../../dtls/client_messages.ts";
import { CONTENT, type DtlsRecord, handshakeRecord, MESSAGE } from "../../dtls/records.ts";
import { Association, type HandshakeReport } from "../association.ts";
import type { ClientRecords } from "../client_records.ts";
import type { DtlsConnection, DtlsContext } from "./dtls_context.ts";
import {
  DTLS_CTRL_GET_TIMEOUT,
  DTLS_CTRL_HANDLE_TIMEOUT,
  SSL_ERROR_SSL,
  SSL_ERROR_ZERO_RETURN,
  takeErrors,
} from "./libssl.ts";

/**
 * Our flight is sent again no more often than this, ms: browsers repeat theirs after 50 ms, and who
 * only replays what they sent shall not make us loud.
 */
const REPEAT_INTERVAL = 40;

/**
 * One DTLS association by OpenSSL. It gets the client's messages in order and once, our own
 * ChangeCipherSpec in place of any that comes, and no alert that nothing authenticates: what
 * anybody could forge ends nothing. No cookie is asked for, since datagrams come from places that
 * an ICE check has proven.
 */
export class OpensslHandshake extends Association {
  readonly #now: () => number;
  #messages: ClientMessages | null = new ClientMessages(ORDER_WITHOUT_COOKIE);
  #connection: DtlsConnection | null;
  /** What is left of the association once it is up: 60 KB less than the library keeps. */
  #remains: { readonly records: ClientRecords; readonly flight: readonly Uint8Array[] } | null =
    null;
  /** What was sent last. */
  #flight: readonly Uint8Array[] = [];
  /** When, ms. */
  #sentAt = -Infinity;
  #repetition: ReturnType<typeof setTimeout> | undefined;
  #sequence = 0;
  #isVerifyIn = false;
  #isCipherChanged = false;
  #earlyFinished: Uint8Array | null = null;

  /** @param now ms from any fixed time on */
  constructor(
    id: number,
    context: DtlsContext,
    report: (event: HandshakeReport) => void,
    now = () => performance.now(),
  ) {
    super(id, report);
    this.#now = now;
    this.#connection = context.connection();
  }

  protected take(record: DtlsRecord): void {
    if (this.#remains !== null) return this.#late(record);
    if (this.#connection === null) return;
    if (record.type === CONTENT.handshake) this.#handshake(record);
    else if (record.type === CONTENT.alert && record.epoch > 0 && this.isUp) {
      this.#pass(record.bytes);
    }
  }

  protected certificate(): Uint8Array | null {
    return this.#connection?.certificate() ?? null;
  }

  protected keys(): SrtpKeys | null {
    return this.#connection?.keys() ?? null;
  }

  /** After the handshake: the client's Finished once more, or its end. */
  #late(record: DtlsRecord): void {
    if (this.#remains === null || record.epoch === 0) return;
    const { records, flight } = this.#remains;
    if (record.type === CONTENT.handshake) {
      if (records.open(record.bytes)?.[0] === MESSAGE.finished) this.#repeat(flight);
      return;
    }
    const description = records.closing(record.bytes);
    if (description === null) return;
    this.#remains = null;
    this.closeByAlert(description);
  }

  #handshake(record: DtlsRecord): void {
    if (record.epoch > 0) {
      // The Finished, for the first time or again; it makes no sense before what it vouches for.
      if (this.#isVerifyIn) this.#finished(record.bytes);
      else this.#earlyFinished = record.bytes.slice();
      return;
    }
    if (this.isUp) return;
    for (const message of this.#messages?.take(record.fragment) ?? []) {
      if (message.repeated) {
        this.#repeat(this.#flight);
        continue;
      }
      this.#pass(this.#numbered(handshakeRecord(message.bytes)));
      if (message.type !== MESSAGE.certificateVerify) continue;
      this.#isVerifyIn = true;
      if (this.#earlyFinished !== null) this.#finished(this.#earlyFinished);
      this.#earlyFinished = null;
    }
  }

  #finished(record: Uint8Array): void {
    if (!this.#isCipherChanged) {
      this.#isCipherChanged = true;
      this.#pass(this.#numbered(Uint8Array.of(20, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1)));
    }
    this.#pass(record);
  }

  /** Records in the clear get numbers of our own: those that came may be anybody's. */
  #numbered(record: Uint8Array): Uint8Array {
    const sequence = this.#sequence++;
    record[9] = sequence >>> 8;
    record[10] = sequence;
    return record;
  }

  #pass(record: Uint8Array): void {
    const connection = this.#connection;
    if (connection === null) return;
    connection.write(record);
    const { library, ssl } = connection;
    const result = this.isUp
      ? library.SSL_read(ssl, new Uint8Array(2048), 2048)
      : library.SSL_do_handshake(ssl);
    const error = result === 1 ? 0 : library.SSL_get_error(ssl, result);
    const words = takeErrors(library);
    this.#flush();
    if (this.isUp) {
      if (error === SSL_ERROR_ZERO_RETURN) this.closeBy("the browser closed it");
      else if (error === SSL_ERROR_SSL) this.closeBy(words);
    } else if (result === 1) {
      clearTimeout(this.#repetition);
      this.prove();
    } else if (error === SSL_ERROR_SSL) this.fail(`the DTLS handshake failed: ${words}`);
    else this.#repeatLater();
  }

  #flush(): void {
    const datagrams = this.#connection?.takeDatagrams() ?? [];
    if (datagrams.length > 0) this.#flight = datagrams;
    this.#sendAll(datagrams);
  }

  /**
   * The client repeats its flight: it has not got ours (RFC 6347 4.2.4), or not all of it. The same
   * records go out, so that those that it has are nothing new to it.
   */
  #repeat(flight: readonly Uint8Array[]): void {
    if (this.#now() - this.#sentAt >= REPEAT_INTERVAL) this.#sendAll(flight);
  }

  #sendAll(datagrams: readonly Uint8Array[]): void {
    if (datagrams.length > 0) this.#sentAt = this.#now();
    for (const data of datagrams) {
      this.send(data);
    }
  }

  /** The library says when its flight is to be sent again (RFC 6347 4.2.4). */
  #repeatLater(): void {
    clearTimeout(this.#repetition);
    const connection = this.#connection;
    if (connection === null) return;
    const { library, ssl } = connection;
    // struct timeval
    const left = new BigInt64Array(2);
    const bytes = new Uint8Array(left.buffer);
    if (library.SSL_ctrl(ssl, DTLS_CTRL_GET_TIMEOUT, 0n, bytes) !== 1n) return;
    const ms = Number(left[0]) * 1000 + Number(left[1]) / 1000;
    this.#repetition = setTimeout(() => {
      if (this.#connection === null || !this.isHandshaking) return;
      library.SSL_ctrl(ssl, DTLS_CTRL_HANDLE_TIMEOUT, 0n, null);
      takeErrors(library);
      this.#flush();
      this.#repeatLater();
    }, Math.ceil(ms) + 1);
  }

  /** The library's part is done: what may still come can be answered without it. */
  protected settle(): void {
    const records = this.#connection?.clientRecords() ?? null;
    if (records === null) return;
    this.#remains = { records, flight: this.#flight };
    this.free();
    this.#messages = null;
  }

  protected free(): void {
    clearTimeout(this.#repetition);
    this.#connection?.free();
    this.#connection = null;
    this.#flight = [];
  }
}
