import type { Instant } from "../core/clock.ts";
import { type Entropy, randomHex } from "../core/entropy.ts";
import type { FlowId } from "../core/ids.ts";
import type { Deadline, SansIo } from "../core/sans_io.ts";
import { type Flow, isReliable } from "./flow.ts";
import {
  BRANCH_COOKIE,
  createResponse,
  type ParseFault,
  parseMessage,
  serialize,
  type SipMessage,
  type SipRequest,
  type SipResponse,
  validate,
} from "./message/mod.ts";
import { OutputQueue } from "./output_queue.ts";
import type { StackInput, StackOutput } from "./stack_io.ts";
import { createCancel, createPacket, readPacket } from "./transaction/derived.ts";
import type { TransactionEffect } from "./transaction/effects.ts";
import {
  type ClientTransactionId,
  clientTransactionId,
  type ServerTransactionId,
} from "./transaction/ids.ts";
import { InviteClientTransaction } from "./transaction/invite_client.ts";
import { InviteServerTransaction } from "./transaction/invite_server.ts";
import { KeptAnswers } from "./transaction/kept_answers.ts";
import { clientKey, dialogKeyOfAck, serverKey, statelessTag } from "./transaction/matching.ts";
import { NonInviteClientTransaction } from "./transaction/non_invite_client.ts";
import { NonInviteServerTransaction } from "./transaction/non_invite_server.ts";
import { NOBODY, Shares, type TransactionShares } from "./transaction/shares.ts";
import {
  type ClientEntry,
  coarse,
  type Entry,
  type ServerEntry,
  TransactionTable,
} from "./transaction/table.ts";
import { DEFAULT_TIMERS, type SipTimers } from "./transaction/timers.ts";
import { stampVia } from "./transaction/stamp_via.ts";

export type { Flow } from "./flow.ts";
export type { StackInput, StackOutput } from "./stack_io.ts";
export {
  type ClientTransactionId,
  clientTransactionId,
  type ServerTransactionId,
} from "./transaction/ids.ts";

/** Transactions one stack holds before it answers 503 to new requests. */
export const DEFAULT_MAX_TRANSACTIONS = 200_000;
const OVERLOAD_RETRY_AFTER_S = 5;
/** Challenges that are kept for the first repetitions, all together; further ones are not. */
const MAX_KEPT_CHALLENGES = 16_384;
/** How long they are, in T1: three repetitions (RFC 3261 17.1.2.2). */
const CHALLENGE_T1 = 8;
/** A stream's messages come without their bytes. */
const NO_BYTES = new Uint8Array(0);

export interface SipStackOptions {
  readonly entropy: Entropy;
  /** `host:port` of this element's Vias. */
  readonly sentBy: string;
  /**
   * A user agent repeats its 2xx to an INVITE until the ACK comes and says `server-failed` where
   * none does (RFC 3261 13.3.1.4); a proxy does not. Default false.
   */
  readonly userAgent?: boolean;
  readonly timers?: Partial<SipTimers>;
  readonly maxTransactions?: number;
  /** Absent: a source may have them all. */
  readonly shares?: TransactionShares;
}

/**
 * The transaction layer of one SIP element (RFC 3261 17, RFC 6026): bytes in, requests and
 * responses out, and the other way round. All user agents of the process are one element, registrar
 * and proxy another.
 */
export class SipStack implements SansIo<StackInput, StackOutput> {
  readonly #entropy: Entropy;
  readonly #sentBy: string;
  readonly #userAgent: boolean;
  readonly #timers: SipTimers;
  readonly #maxTransactions: number;
  readonly #table: TransactionTable;
  readonly #kept: KeptAnswers;
  readonly #challenges: KeptAnswers;
  readonly #shares: Shares;
  readonly #sourceOf: TransactionShares["sourceOf"];
  readonly #outputs = new OutputQueue<StackOutput>();
  #serverSequence = 0;
  #now: Instant = 0;

  constructor(options: SipStackOptions) {
    this.#entropy = options.entropy;
    this.#sentBy = options.sentBy.toLowerCase();
    this.#userAgent = options.userAgent ?? false;
    this.#timers = { ...DEFAULT_TIMERS, ...options.timers };
    this.#maxTransactions = options.maxTransactions ?? DEFAULT_MAX_TRANSACTIONS;
    this.#table = new TransactionTable();
    const seed = () => parseInt(randomHex(options.entropy, 32), 16);
    this.#kept = new KeptAnswers(seed());
    this.#challenges = new KeptAnswers(seed());
    this.#shares = new Shares(options.shares?.most ?? Infinity);
    this.#sourceOf = options.shares?.sourceOf ?? (() => undefined);
  }

  /** Live transactions, those of CANCELs and lingering ones too. */
  get transactionCount(): number {
    return this.#table.size + this.#kept.size;
  }

  /** Whether a response answers a request that was sent here and is under way. */
  expects(response: SipResponse): boolean {
    const { branch } = response.topVia;
    return branch !== undefined &&
      this.#table.clientByKey(clientKey(branch, response.cseq.method)) !== undefined;
  }

  handle(input: StackInput, now: Instant): void {
    this.#now = now;
    switch (input.type) {
      case "receive":
        return this.#receive(input.flow, input.bytes);
      case "receive-framed":
        return input.event.type === "message"
          ? this.#receiveMessage(input.flow, input.event.message, NO_BYTES)
          : this.#receiveFault(input.flow, input.event.fault, NO_BYTES);
      case "flow-closed":
        return this.#closeFlow(input.flow);
      case "request":
        return this.#request(input.id, input.request, input.flow, input.branchSuffix ?? "");
      case "cancel":
        return this.#cancel(input.id, input.reason);
      case "ack":
        this.#addVia(input.request, input.flow, "");
        return this.#send(input.flow, input.request);
      case "respond":
        return this.#respond(input.id, input.response, input.isStateless ?? false);
      case "abandon":
        return this.#abandon(input.id);
    }
  }

  wake(now: Instant): void {
    this.#now = now;
    this.#kept.expire(now, (owner) => this.#shares.release(owner));
    this.#challenges.expire(now, () => {});
    for (let due = this.#table.takeDue(now); due; due = this.#table.takeDue(now)) {
      const { entry, timer } = due;
      this.#step(entry, (out) => entry.machine.timer(timer, out));
    }
  }

  poll(): StackOutput | undefined {
    return this.#outputs.shift();
  }

  deadline(): Deadline | undefined {
    const first = this.#table.deadline();
    const over = Math.min(
      this.#kept.nextExpiry ?? Infinity,
      this.#challenges.nextExpiry ?? Infinity,
    );
    if (over === Infinity) return first;
    const at = coarse(over);
    return first && first.at <= at ? first : { at, reason: "kept answers are over" };
  }

  // --- from the flow ---

  #receive(flow: Flow, bytes: Uint8Array): void {
    const parsed = parseMessage(bytes);
    if (parsed.ok) this.#receiveMessage(flow, parsed.value, bytes);
    else this.#receiveFault(flow, parsed.error, bytes);
  }

  #receiveFault(flow: Flow, fault: ParseFault, bytes: Uint8Array): void {
    if (fault.kind === "empty") return;
    this.#outputs.push({ type: "malformed", flow: flow.id, fault, bytes });
    const request = fault.request;
    if (request && request.method !== "ACK") {
      this.#refuse(flow, request, fault.status, fault.text);
    }
  }

  #receiveMessage(flow: Flow, message: SipMessage, bytes: Uint8Array): void {
    const valid = validate(message);
    if (!valid.ok) {
      this.#outputs.push({ type: "malformed", flow: flow.id, fault: valid.error, bytes });
      if (message.kind === "request" && message.method !== "ACK") {
        this.#refuse(flow, message, valid.error.status, valid.error.text);
      }
      return;
    }
    if (message.kind === "response") return this.#receiveResponse(message);
    stampVia(message, flow);
    if (message.method === "ACK") this.#receiveAck(flow, message);
    else this.#receiveRequest(flow, message);
  }

  #receiveResponse(response: SipResponse): void {
    const via = response.topVia;
    const branch = via.branch;
    if (branch === undefined) return;
    const entry = this.#table.clientByKey(clientKey(branch, response.cseq.method));
    // 18.1.2: not ours; RFC 6026 8.9: a response without a transaction goes nowhere.
    if (!entry || via.sentBy !== this.#localOf(entry.flow)) return;
    this.#step(entry, (out) => entry.machine.receive(response, out));
    if (entry.cancel && !entry.cancel.sent && response.status < 200) this.#sendCancel(entry);
  }

  #receiveAck(flow: Flow, ack: SipRequest): void {
    const entry = this.#table.serverByKey(serverKey(ack));
    if (entry) {
      this.#step(entry, (out) => entry.machine.receive(ack, out));
      return;
    }
    const accepted = this.#table.acceptedBy(dialogKeyOfAck(ack));
    if (accepted) {
      const machine = accepted.machine;
      if (machine instanceof InviteServerTransaction) {
        this.#step(accepted, (out) => machine.acknowledge(out));
      }
    }
    this.#outputs.push({ type: "ack", request: ack, flow });
  }

  #receiveRequest(flow: Flow, request: SipRequest): void {
    const key = serverKey(request);
    const existing = this.#table.serverByKey(key);
    if (existing) {
      this.#step(existing, (out) => existing.machine.receive(request, out));
      return;
    }
    const answer = this.#kept.find(key) ?? this.#challenges.find(key);
    if (answer) {
      this.#outputs.push({ type: "send", flow, ...readPacket(answer) });
      return;
    }
    const isInvite = request.method === "INVITE";
    const owner = this.transactionCount >= this.#maxTransactions
      ? undefined
      : isInvite
      ? NOBODY
      : this.#shares.take(this.#sourceOf(flow));
    if (owner === undefined) {
      this.#refuse(flow, request, 503, "Service Unavailable", OVERLOAD_RETRY_AFTER_S);
      return;
    }
    const reliable = isReliable(flow);
    const machine = isInvite
      ? new InviteServerTransaction(request, reliable, this.#timers, this.#userAgent)
      : new NonInviteServerTransaction(request, reliable, this.#timers);
    const id = `s${++this.#serverSequence}` as ServerTransactionId;
    const isCancel = request.method === "CANCEL";
    const entry = this.#table.addServer({ id, key, flow, machine, hidden: isCancel }, owner);
    this.#step(entry, (out) => machine.start(out));
    if (isCancel) this.#answerCancel(entry, request);
  }

  /** RFC 3261 9.2: 200 where the INVITE is known, whatever its state; 481 where it is not. */
  #answerCancel(cancelEntry: ServerEntry, cancel: SipRequest): void {
    const target = this.#table.serverByKey(serverKey(cancel, "INVITE"));
    const machine = target?.machine;
    const known = machine instanceof InviteServerTransaction;
    const toTag = (known ? machine.lastResponse?.to.tag : undefined) ?? statelessTag(cancel);
    const response = known
      ? createResponse(cancel, 200, "OK", { toTag })
      : createResponse(cancel, 481, "Call/Transaction Does Not Exist", { toTag });
    const packet = createPacket(response);
    this.#step(cancelEntry, (out) => cancelEntry.machine.respond(packet, out));
    if (target && known && machine.state === "Proceeding") {
      const reason = cancel.headers.get("Reason");
      this.#outputs.push({ type: "cancelled", id: target.id, reason });
    }
  }

  #closeFlow(flow: FlowId): void {
    for (const entry of this.#table.entriesOf(flow)) {
      this.#step(entry, (out) => entry.machine.transportError(out));
    }
  }

  /** Answers without a transaction: what is wrong with the request is wrong with its repetition. */
  #refuse(flow: Flow, request: SipRequest, status: number, text: string, retryAfter = 0): void {
    if (!request.headers.has("Via")) return;
    const response = createResponse(request, status, text, { toTag: statelessTag(request) });
    if (retryAfter > 0) response.headers.set("Retry-After", String(retryAfter));
    this.#send(flow, response);
  }

  // --- from the user ---

  #request(id: ClientTransactionId, request: SipRequest, flow: Flow, suffix: string): void {
    const branch = this.#addVia(request, flow, suffix);
    const packet = createPacket(request);
    const reliable = isReliable(flow);
    const machine = request.method === "INVITE"
      ? new InviteClientTransaction(packet, reliable, this.#timers)
      : new NonInviteClientTransaction(packet, reliable, this.#timers);
    const key = clientKey(branch, request.method);
    const entry = this.#table.addClient({ id, key, flow, machine, hidden: false });
    this.#step(entry, (out) => machine.start(out));
  }

  #cancel(id: ClientTransactionId, reason: string | undefined): void {
    const entry = this.#table.clientById(id);
    if (!entry || !(entry.machine instanceof InviteClientTransaction) || entry.cancel) return;
    entry.cancel = { reason, sent: false };
    if (entry.machine.state === "Proceeding") this.#sendCancel(entry);
  }

  #sendCancel(entry: ClientEntry): void {
    const invite = entry.machine;
    if (!entry.cancel || !(invite instanceof InviteClientTransaction)) return;
    entry.cancel.sent = true;
    const packet = createPacket(createCancel(invite.request.message, entry.cancel.reason));
    const machine = new NonInviteClientTransaction(packet, isReliable(entry.flow), this.#timers);
    const cancelEntry = this.#table.addClient({
      id: clientTransactionId(`${entry.id}/cancel`),
      key: clientKey(invite.request.message.topVia.branch ?? "", "CANCEL"),
      flow: entry.flow,
      machine,
      hidden: true,
    });
    this.#step(cancelEntry, (out) => machine.start(out));
    this.#step(entry, (out) => invite.cancelSent(out));
  }

  #respond(id: ServerTransactionId, response: SipResponse, isStateless: boolean): void {
    const entry = this.#table.serverById(id);
    if (!entry) return;
    const packet = createPacket(response);
    const { machine } = entry;
    if (isStateless) {
      if (!isReliable(entry.flow) && this.#challenges.size < MAX_KEPT_CHALLENGES) {
        const until = this.#now + CHALLENGE_T1 * this.#timers.t1;
        this.#challenges.put(entry.key, packet.bytes, NOBODY, until);
      }
      return this.#step(entry, (out) => machine.respondStateless(packet, out));
    }
    this.#step(entry, (out) => machine.respond(packet, out));
    const accepts = response.status >= 200 && response.status < 300;
    if (this.#userAgent && accepts && response.cseq.method === "INVITE") {
      this.#table.expectAck(entry, dialogKeyOfAck(response));
    }
  }

  #abandon(id: ServerTransactionId): void {
    const entry = this.#table.serverById(id);
    const machine = entry?.machine;
    if (entry && machine instanceof NonInviteServerTransaction) {
      this.#step(entry, (out) => machine.abandon(out));
    }
  }

  // --- effects ---

  #step(entry: Entry, act: (out: TransactionEffect[]) => void): void {
    const effects: TransactionEffect[] = [];
    act(effects);
    for (const effect of effects) this.#apply(entry, effect);
  }

  #apply(entry: Entry, effect: TransactionEffect): void {
    switch (effect.type) {
      case "send": {
        const { message, bytes } = effect.packet;
        this.#outputs.push({ type: "send", flow: entry.flow, bytes, message });
        return;
      }
      case "set-timer":
        return this.#table.setTimer(entry, effect.timer, this.#now + effect.ms);
      case "clear-timer":
        return this.#table.clearTimer(entry, effect.timer);
      case "keep":
        if (entry.side !== "server") return;
        this.#kept.put(entry.key, effect.answer, entry.owner, this.#now + effect.ms);
        entry.owner = NOBODY;
        return;
      case "terminate":
        if (entry.side === "server") this.#shares.release(entry.owner);
        this.#table.remove(entry);
        if (!entry.hidden) this.#outputs.push({ type: "terminated", id: entry.id });
        return;
      case "pass-request":
      case "pass-response":
      case "fail":
        if (!entry.hidden) this.#pass(entry, effect);
        return;
    }
  }

  #pass(entry: Entry, effect: TransactionEffect): void {
    const flow = entry.flow;
    if (entry.side === "client") {
      const id = entry.id;
      if (effect.type === "pass-response") {
        this.#outputs.push({ type: "response", id, response: effect.response, flow });
      } else if (effect.type === "fail") {
        this.#outputs.push({ type: "failed", id, reason: effect.reason });
      }
      return;
    }
    const id = entry.id;
    if (effect.type === "fail") {
      this.#outputs.push({ type: "server-failed", id, reason: effect.reason });
    } else if (effect.type === "pass-request") {
      const request = effect.request;
      this.#outputs.push(
        request.method === "ACK"
          ? { type: "ack", request, flow }
          : { type: "request", id, request, flow },
      );
    }
  }

  #send(flow: Flow, message: SipRequest | SipResponse): void {
    this.#outputs.push({ type: "send", flow, bytes: serialize(message), message });
  }

  /** Puts our Via on top and gives back its branch. */
  #addVia(request: SipRequest, flow: Flow, suffix: string): string {
    const branch = `${BRANCH_COOKIE}${randomHex(this.#entropy, 96)}${suffix}`;
    const rport = flow.transport === "UDP" ? ";rport" : "";
    request.headers.prepend(
      "Via",
      `SIP/2.0/${flow.transport} ${this.#localOf(flow)};branch=${branch}${rport}`,
    );
    return branch;
  }

  #localOf(flow: Flow): string {
    return flow.local ?? this.#sentBy;
  }
}
