import type { Clock, Instant, Timer } from "../../core/clock.ts";
import type { Flow } from "../flow.ts";
import { StreamFramer } from "../message/mod.ts";
import type { WireInput } from "./contract.ts";
import type { TransportLimits } from "./limits.ts";

/** What a connection needs of whoever keeps it. */
export interface StreamHost {
  readonly clock: Clock;
  readonly limits: TransportLimits;
  onInput(input: WireInput): void;
  isUsed(flow: Flow): boolean;
  promisesLife(flow: Flow): boolean;
  /** Once, and last. */
  onClosed(stream: SipStream, why: string): void;
}

/** Most bytes read at a time: each connection holds as many. */
const READ_BYTES = 4096;
/** Looked at this often at most, so that a busy connection does not move its timer all the time. */
const LEAST_WAIT_MS = 10;

const CRLF = new Uint8Array([0x0d, 0x0a]);
const PING = new Uint8Array([0x0d, 0x0a, 0x0d, 0x0a]);

/**
 * One TCP or TLS connection that carries SIP (RFC 3261 18.3): framing, keep-alives (RFC 5626
 * 4.4.1), and what a peer may not do: begin a message and not end it, say nothing for long, read
 * slowly.
 */
export class SipStream {
  readonly flow: Flow;
  readonly #conn: Deno.Conn;
  readonly #host: StreamHost;
  readonly #framer: StreamFramer;
  /** We opened it, so that keeping it alive is up to us. */
  readonly #isOutbound: boolean;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  /** Answers to our own pings that are still to come. */
  #pongsDue = 0;
  #isWriting = false;
  #isClosed = false;
  /** No more is read; closed once the queue is out. */
  #isEnding = false;
  #endingSince: Instant = 0;
  #messageSince: Instant | undefined;
  /** Last whole message. */
  #messageAt: Instant;
  /** Last sign of life, keep-alives and what we could write too. */
  #lifeAt: Instant;
  /** Last byte of the far end. */
  #heardAt: Instant;
  #timer: Timer | undefined;

  constructor(conn: Deno.Conn, flow: Flow, host: StreamHost, isOutbound: boolean) {
    this.flow = flow;
    this.#isOutbound = isOutbound;
    this.#conn = conn;
    this.#host = host;
    this.#framer = new StreamFramer(host.limits.messageBytes);
    this.#messageAt = this.#lifeAt = this.#heardAt = host.clock.now();
  }

  get isOpen(): boolean {
    return !this.#isClosed && !this.#isEnding;
  }

  /** Reads until the end; never rejects. */
  async run(): Promise<void> {
    this.#watch();
    const buffer = new Uint8Array(READ_BYTES);
    try {
      for (;;) {
        const count = await this.#conn.read(buffer);
        if (count === null) return this.close("the far end closed");
        if (!this.isOpen) continue;
        this.#take(buffer.subarray(0, count));
      }
    } catch (error) {
      this.close(error instanceof Error ? error.message : String(error));
    }
  }

  send(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#queuedBytes + bytes.length > this.#host.limits.backlogBytes) {
      return this.close(`the far end reads too slowly, ${this.#queuedBytes} bytes wait`);
    }
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (!this.#isWriting) void this.#write();
  }

  /** Takes no more, and closes when what is queued is out, or after a while. */
  end(why: string): void {
    if (!this.isOpen) return;
    if (this.#queuedBytes === 0) return this.close(why);
    this.#isEnding = true;
    this.#endingSince = this.#host.clock.now();
    this.#watch();
  }

  close(why: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#host.clock.clearTimeout(this.#timer);
    this.#queue.length = this.#queuedBytes = 0;
    try {
      this.#conn.close();
    } catch {
      /* Closed by the far end in the meantime. */
    }
    this.#host.onClosed(this, why);
  }

  #take(bytes: Uint8Array): void {
    const now = this.#host.clock.now();
    this.#lifeAt = this.#heardAt = now;
    for (const event of this.#framer.push(bytes)) {
      if (event.type === "ping" || event.type === "pong") {
        // Two answers to pings of ours look like one ping.
        if (this.#pongsDue > 0) this.#pongsDue--;
        else if (event.type === "ping") this.send(CRLF);
      } else {
        if (event.type === "message") this.#messageAt = now;
        // The next message begins within these bytes at the earliest.
        this.#messageSince = undefined;
        this.#host.onInput({ type: "receive-framed", flow: this.flow, event });
        if (event.type === "fault") return this.end(`framing is lost: ${event.fault.text}`);
      }
      if (!this.isOpen) return;
    }
    this.#messageSince = this.#framer.isMidMessage ? this.#messageSince ?? now : undefined;
    this.#watch();
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    try {
      for (let bytes = this.#queue[0]; bytes && !this.#isClosed; bytes = this.#queue[0]) {
        for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
        this.#lifeAt = this.#host.clock.now();
        if (this.#isClosed) return;
        this.#queue.shift();
        this.#queuedBytes -= bytes.length;
      }
      if (this.#isEnding) this.close("ended");
    } catch (error) {
      this.close(error instanceof Error ? error.message : String(error));
    } finally {
      this.#isWriting = false;
    }
  }

  /** When patience ends, and with what. */
  #patience(): { at: Instant; why: string } {
    const { limits } = this.#host;
    if (this.#isEnding) {
      return { at: this.#endingSince + limits.messageMs, why: "the far end reads nothing" };
    }
    const slow = (this.#messageSince ?? Infinity) + limits.messageMs;
    const idle = this.#idleness();
    return slow < idle.at
      ? { at: slow, why: `a message was not whole after ${limits.messageMs} ms` }
      : idle;
  }

  #idleness(): { at: Instant; why: string } {
    const { limits } = this.#host;
    if (!this.#host.isUsed(this.flow)) return { at: this.#messageAt + limits.idleMs, why: "idle" };
    // What we send says nothing of the far end.
    return this.#host.promisesLife(this.flow)
      ? { at: this.#heardAt + limits.promisedIdleMs, why: "the promised keep-alives did not come" }
      : { at: this.#lifeAt + limits.usedIdleMs, why: "idle" };
  }

  /** One timer, that looks again where patience has grown in the meantime. */
  #watch(): void {
    const { clock } = this.#host;
    clock.clearTimeout(this.#timer);
    const look = () => {
      const { at, why } = this.#patience();
      const left = Math.min(at - clock.now(), this.#keepAlive());
      if (at <= clock.now()) return this.close(why);
      this.#timer = clock.setTimeout(look, Math.max(left, LEAST_WAIT_MS));
    };
    look();
  }

  /** Pings where it is time to; how long until it may be time again, ms. */
  #keepAlive(): number {
    const { clock, limits } = this.#host;
    if (!this.#isOutbound || this.#isEnding) return Infinity;
    const left = this.#lifeAt + limits.keepAliveMs - clock.now();
    if (left > 0) return left;
    this.#lifeAt = clock.now();
    if (this.#host.isUsed(this.flow)) {
      // One that does not answer may not know pings: it is left alone (RFC 5626 4.4.1).
      this.#pongsDue = 1;
      this.send(PING);
    }
    return limits.keepAliveMs;
  }
}
