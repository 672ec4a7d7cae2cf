import { MAX_HEAD_BYTES } from "./limits.ts";
import type { SipMessage } from "./message.ts";
import { bodyLength, findHeadEnd, type ParseFault, parseHead } from "./parse.ts";
import { decodeText } from "./text.ts";

/** What a stream held. After a fault framing is lost: answer if possible, then close. */
export type FramerEvent =
  | { readonly type: "message"; readonly message: SipMessage }
  /** A CRLF between messages, perhaps the answer to our ping. */
  | { readonly type: "pong" }
  /** A second one, so that both are a ping: answer with one CRLF (RFC 5626 3.5.1). */
  | { readonly type: "ping" }
  | { readonly type: "fault"; readonly fault: ParseFault };

const CR = 0x0d;
const LF = 0x0a;
const INITIAL_BYTES = 4096;

/** Cuts a TCP or TLS stream into messages, however it is split (RFC 3261 18.3). */
export class StreamFramer {
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(INITIAL_BYTES);
  /** The part of the buffer that is not read yet. */
  #start = 0;
  #end = 0;
  /** Where to go on looking for the end of the head, so that slow senders cost no more. */
  #searched = 0;
  /** A head that waits for its body. */
  #waiting: { message: SipMessage; length: number } | undefined;
  #failed = false;
  /** CRLFs since the last message. */
  #lineEnds = 0;
  readonly #maxMessageBytes: number;

  /** @param maxMessageBytes largest message, head and body, beside what limits either */
  constructor(maxMessageBytes = Infinity) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Bytes held for a message that is not whole yet. */
  get pendingBytes(): number {
    return this.#end - this.#start;
  }

  /** Whether a message has begun and not ended: what an idle timeout wants to know. */
  get isMidMessage(): boolean {
    return this.#waiting !== undefined || this.#end > this.#start;
  }

  /** Whether framing is lost; further bytes are ignored. */
  get failed(): boolean {
    return this.#failed;
  }

  push(bytes: Uint8Array): FramerEvent[] {
    const events: FramerEvent[] = [];
    if (this.#failed) return events;
    this.#append(bytes);
    while (!this.#failed && this.#next(events));
    if (this.#failed) this.#buffer = new Uint8Array(0);
    return events;
  }

  /** Takes one thing out of the buffer; false where more bytes are needed. */
  #next(events: FramerEvent[]): boolean {
    if (this.#waiting === undefined) {
      if (this.#start === this.#end) return false;
      if (this.#isLineEnd()) return this.#takeLineEnd(events);
      if (!this.#takeHead(events)) return false;
    }
    return this.#takeBody(events);
  }

  #isLineEnd(): boolean {
    const first = this.#buffer[this.#start];
    return first === CR || first === LF;
  }

  #takeLineEnd(events: FramerEvent[]): boolean {
    const at = this.#start;
    if (this.#buffer[at] === LF) return this.#fail(events, "LF without CR between messages");
    if (this.#end - at < 2) return false;
    if (this.#buffer[at + 1] !== LF) return this.#fail(events, "CR without LF between messages");
    this.#start = this.#searched = at + 2;
    // Told at once, so that the second CRLF of a ping makes a ping of it however it was split.
    events.push({ type: ++this.#lineEnds % 2 === 1 ? "pong" : "ping" });
    return true;
  }

  #takeHead(events: FramerEvent[]): boolean {
    const view = this.#buffer.subarray(0, this.#end);
    const headEnd = findHeadEnd(view, Math.max(this.#start, this.#searched));
    const length = (headEnd < 0 ? this.#end : headEnd) - this.#start;
    if (length > MAX_HEAD_BYTES) {
      const text = `Head longer than ${MAX_HEAD_BYTES} bytes`;
      return this.#failWith(events, { kind: "too-large", status: 513, text });
    }
    if (headEnd < 0) {
      this.#searched = Math.max(this.#start, this.#end - 3);
      return false;
    }
    const head = parseHead(decodeText(view.subarray(this.#start, headEnd)));
    if (!head.ok) return this.#failWith(events, head.error);
    const body = bodyLength(head.value);
    if (!body.ok) return this.#failWith(events, body.error);
    const bytes = length + (body.value ?? 0);
    if (bytes > this.#maxMessageBytes) {
      const text = `Message longer than ${this.#maxMessageBytes} bytes`;
      const request = head.value.kind === "request" ? { request: head.value } : {};
      return this.#failWith(events, { kind: "too-large", status: 513, text, ...request });
    }
    // Mandatory on streams; most who leave it out have no body (RFC 3261 20.14).
    this.#waiting = { message: head.value, length: body.value ?? 0 };
    this.#start = this.#searched = headEnd + 4;
    this.#lineEnds = 0;
    return true;
  }

  #takeBody(events: FramerEvent[]): boolean {
    const { message, length } = this.#waiting!;
    if (this.#end - this.#start < length) return false;
    if (length > 0) message.body = this.#buffer.slice(this.#start, this.#start + length);
    this.#start = this.#searched = this.#start + length;
    this.#waiting = undefined;
    events.push({ type: "message", message });
    return true;
  }

  #fail(events: FramerEvent[], text: string): false {
    return this.#failWith(events, { kind: "malformed", status: 400, text });
  }

  #failWith(events: FramerEvent[], fault: ParseFault): false {
    this.#failed = true;
    events.push({ type: "fault", fault });
    return false;
  }

  #append(bytes: Uint8Array): void {
    const pending = this.#end - this.#start;
    if (pending === 0) this.#start = this.#end = this.#searched = 0;
    if (this.#end + bytes.length > this.#buffer.length) {
      const needed = pending + bytes.length;
      const target = needed > this.#buffer.length
        ? new Uint8Array(Math.max(needed, this.#buffer.length * 2))
        : this.#buffer;
      target.set(this.#buffer.subarray(this.#start, this.#end));
      this.#searched -= this.#start;
      this.#buffer = target;
      this.#start = 0;
      this.#end = pending;
    }
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }
}
