import type { Clock, Instant } from "../../core/clock.ts";
import type { Entropy } from "../../core/entropy.ts";
import type { FlowId } from "../../core/ids.ts";
import type { Log } from "../../core/log.ts";
import { sourceOf } from "../../core/sources.ts";
import type { Flow } from "../flow.ts";
import { createResponse, serialize, type SipRequest } from "../message/mod.ts";
import type { WireInput } from "../stack_io.ts";
import { statelessTag } from "../transaction/matching.ts";
import { CallLedger } from "./call_ledger.ts";
import { COST, type ProtectionLimits } from "./limits.ts";
import { frame, type Framed, peek, peekSent, type Sent } from "./peek.ts";
import { type Reason, SourceBook, type SourceRecord } from "./source_book.ts";
import { SourceLog } from "./source_log.ts";

export interface GuardPorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly limits: ProtectionLimits;
  /** What may come in. */
  pass(input: WireInput): void;
  /** Answers of the guard's own. */
  send(flow: Flow, bytes: Uint8Array): void;
  /** Somebody has registered, or has a call, on this flow: a block of its source spares it. */
  isFlowUsed(flow: FlowId): boolean;
  /** Trunks and whom the operator trusts: not counted. */
  isExempt(flow: Flow, address: string): boolean;
  isOverloaded(): boolean;
}

type Incoming = Exclude<WireInput, { type: "flow-closed" }>;

/** Retry-After lies between these, seconds, so that not all come back at once. */
const RETRY_S = { least: 5, most: 30 } as const;

/** What tools that look for open servers call themselves. */
const SCANNER =
  /friendly-scanner|friendly-request|sipvicious|sip-?scan|sipcli|sipsscuser|sundayddr|\biwar\b|vaxsipuseragent|eyebeam-scan|pplsip|\bsmap\b|siparmyknife|test ?agent/i;

/** Statuses that a search for names and numbers earns. */
const MISSES = new Set([404, 405, 416, 420, 484, 485, 604]);

/**
 * Stands between the network and our SIP elements: who may begin something, how often, and who is
 * not even answered any more. It acts on nothing that is inside a dialog, so that calls go on.
 */
export class SipGuard {
  readonly #ports: GuardPorts;
  readonly #book: SourceBook;
  readonly #ledger: CallLedger;
  readonly #log: SourceLog;

  constructor(ports: GuardPorts) {
    this.#ports = ports;
    this.#book = new SourceBook(ports.limits);
    this.#ledger = new CallLedger(ports.limits.calls);
    this.#log = new SourceLog(ports.log);
  }

  /** Calls that came over wires. */
  get calls(): number {
    return this.#ledger.size;
  }

  /** Sources remembered, held back or not. */
  get sourceCount(): number {
    return this.#book.size;
  }

  /** Those that have been held back. */
  *heldBack(): Generator<SourceRecord> {
    for (const record of this.#book.values()) if (record.since !== undefined) yield record;
  }

  /** False where nothing is known of it. */
  lift(source: string): boolean {
    const record = this.#book.find(source);
    if (record?.since === undefined) return false;
    record.lift(this.#ports.clock.now());
    return true;
  }

  /** Whether connections of this address are worth having. */
  isWelcome(address: string): boolean {
    const now = this.#ports.clock.now();
    return this.#book.find(sourceOf(address))?.isBlocked(now) !== true;
  }

  /** What comes in from the network. */
  receive(input: WireInput): void {
    if (input.type === "flow-closed") return this.#ports.pass(input);
    const now = this.#ports.clock.now();
    const source = this.#recordOf(input.flow, now);
    if (source) {
      if (input.type === "receive") source.receivedBytes += input.bytes.length;
      if (!source.messages.take(1, now)) return this.#drop(source, "messages", now);
      if (this.#isShutOut(source, input.flow, now)) return this.#drop(source, "blocked", now);
    }
    const read = once(input);
    if (this.#mayIn(input, read, source, now)) this.#ports.pass(read());
  }

  /** Whether these bytes may go out. What goes out also tells how requests have ended. */
  maySend(flow: Flow, bytes: Uint8Array): boolean {
    const sent = peekSent(bytes);
    if (sent.kind === "other") return true;
    if (sent.kind === "bye") {
      this.#ledger.end(sent.callId());
      return true;
    }
    const now = this.#ports.clock.now();
    this.#learnCall(sent);
    const source = this.#recordOf(flow, now);
    if (!source) return true;
    this.#learn(sent, source, flow, now);
    return this.#isProportionate(source, flow, bytes, now);
  }

  // --- in ---

  #recordOf(flow: Flow, now: Instant): SourceRecord | undefined {
    const address = flow.peer?.address;
    if (address === undefined || this.#ports.isExempt(flow, address)) return undefined;
    return this.#book.at(sourceOf(address), now);
  }

  #isShutOut(source: SourceRecord, flow: Flow, now: Instant): boolean {
    return source.isBlocked(now) && !this.#ports.isFlowUsed(flow.id);
  }

  #mayIn(
    input: Incoming,
    read: () => Framed,
    source: SourceRecord | undefined,
    now: Instant,
  ): boolean {
    const seen = peek(input, read);
    if (seen.kind === "standing") return true;
    if (seen.kind === "malformed") {
      if (source) this.#blame(source, "malformed", COST.malformed, now);
      return true;
    }
    const { method, request } = seen;
    const callId = method === "INVITE" ? request()?.callId : undefined;
    if (callId !== undefined && this.#ledger.isRepeat(callId)) return true;
    if (source && !source.isProven && isScanner(request())) {
      this.#blame(source, "scanner", COST.scanner, now);
      if (this.#isShutOut(source, input.flow, now)) {
        this.#drop(source, "blocked", now);
        return false;
      }
    }
    const reason = this.#whyNot(method, source, now);
    if (reason !== undefined) {
      this.#refuse(input, request(), source, reason, now);
      return false;
    }
    if (callId !== undefined) this.#ledger.begin(callId, source, now);
    return true;
  }

  /** Why a request that begins something has to wait; undefined: it has not. */
  #whyNot(method: string, source: SourceRecord | undefined, now: Instant): Reason | undefined {
    const { limits } = this.#ports;
    const isCall = method === "INVITE";
    const isRegister = method === "REGISTER";
    if ((isCall || isRegister) && this.#ports.isOverloaded()) return "overload";
    if (source) {
      const bucket = isRegister ? source.registrations : source.requests;
      if (!bucket.take(1, now)) return isRegister ? "registrations" : "requests";
      if (isCall && this.#ledger.isFullFor(source, limits.callsPerSource, now)) return "calls";
    }
    return isCall && this.#ledger.isFull(now) ? "calls" : undefined;
  }

  /** 503, to a few; whoever goes on asking gets no more answers for a while. */
  #refuse(
    input: Incoming,
    request: SipRequest | undefined,
    source: SourceRecord | undefined,
    reason: Reason,
    now: Instant,
  ): void {
    const { limits, entropy } = this.#ports;
    if (source && reason !== "overload") {
      if (now >= source.toldFrom + limits.tellMs) {
        source.toldFrom = now;
        source.told = 0;
      }
      if (++source.told > limits.told) return this.#drop(source, reason, now);
    }
    if (!request?.headers.has("Via")) return source && this.#drop(source, reason, now);
    const { least, most } = RETRY_S;
    const seconds = least + entropy.bytes(1)[0]! % (most - least + 1);
    const answer = serialize(createResponse(request, 503, undefined, {
      toTag: statelessTag(request),
      headers: [["Retry-After", `${seconds}`]],
    }));
    // An answer longer than what it answers would be a gift to whoever forges his address.
    const isTooLong = input.type === "receive" && input.flow.transport === "UDP" && source &&
      !source.isProven && answer.length > input.bytes.length;
    if (isTooLong) return this.#drop(source, reason, now);
    if (source) {
      source.refused++;
      source.note(reason, now);
      this.#log.say(source, reason, now);
    }
    this.#ports.send(input.flow, answer);
  }

  #drop(source: SourceRecord, reason: Reason, now: Instant): void {
    source.dropped++;
    source.note(reason, now);
    this.#log.say(source, reason, now);
  }

  // --- out ---

  #learnCall(sent: Extract<Sent, { kind: "response" }>): void {
    const { status } = sent;
    if (status < 200 || this.#ledger.isEmpty) return;
    const method = sent.method();
    if (method === "BYE" && status < 300) this.#ledger.end(sent.callId());
    else if (method !== "INVITE") return;
    else if (status < 300) this.#ledger.answered(sent.callId());
    else this.#ledger.refused(sent.callId());
  }

  #learn(
    sent: Extract<Sent, { kind: "response" }>,
    source: SourceRecord,
    flow: Flow,
    now: Instant,
  ): void {
    const { status } = sent;
    if (status === 100) return;
    if (status === 401 || status === 407) {
      source.challenges++;
      return this.#blame(source, "unanswered challenges", COST.challenged, now);
    }
    if (status < 300) {
      // OPTIONS is answered to anybody; these only after a proof, or to whom we trust.
      const method = sent.method();
      if (method === "REGISTER" || method === "INVITE") this.#prove(source, now);
      return;
    }
    const isRegister = sent.method() === "REGISTER";
    if (status === 403 && (isRegister || !this.#ports.isFlowUsed(flow.id))) {
      return this.#blame(source, "wrong credentials", COST.wrongCredentials, now);
    }
    if (status === 400 && isRegister) {
      return this.#blame(source, "malformed", COST.malformed, now);
    }
    if (MISSES.has(status) && !this.#ports.isFlowUsed(flow.id)) {
      this.#blame(source, "not found", COST.refused, now);
    }
  }

  #prove(source: SourceRecord, now: Instant): void {
    source.isProven = true;
    source.failures.giveBack(source.challenges * COST.challenged, now);
    source.challenges = 0;
  }

  #isProportionate(source: SourceRecord, flow: Flow, bytes: Uint8Array, now: Instant): boolean {
    if (flow.transport !== "UDP" || source.isProven || this.#ports.isFlowUsed(flow.id)) return true;
    const most = source.receivedBytes * this.#ports.limits.amplification;
    if (source.sentBytes + bytes.length > most) {
      this.#drop(source, "amplification", now);
      return false;
    }
    source.sentBytes += bytes.length;
    return true;
  }

  /** Counts a failure; one too many, and the source is blocked. */
  #blame(source: SourceRecord, reason: Reason, cost: number, now: Instant): void {
    const isChallenge = reason === "unanswered challenges";
    // A challenge is how each registration begins; only many without an end are worth a word.
    if (!isChallenge) source.note(reason, now);
    if (source.failures.drain(cost, now) || source.isBlocked(now)) return;
    source.note(reason, now);
    source.blockedUntil = now + this.#ports.limits.blockMs;
    // What happens until then is dropped anyway.
    source.failures.giveBack(this.#ports.limits.failures.burst / 2, now);
    source.nextLineAt = -Infinity;
    this.#log.say(source, reason, now);
  }
}

/** Reads what came in when first asked; whoever comes after need not read it again. */
function once(input: Incoming): () => Framed {
  let framed = input.type === "receive-framed" ? input : undefined;
  return () => framed ??= frame(input as Extract<Incoming, { type: "receive" }>);
}

function isScanner(request: SipRequest | undefined): boolean {
  const name = request?.headers.get("User-Agent");
  return name !== undefined && SCANNER.test(name);
}
