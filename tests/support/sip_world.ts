import type { FlowId } from "../../src/core/ids.ts";
import { type Entropy, randomHex, SeededEntropy } from "../../src/core/entropy.ts";
import { ManualClock } from "../../src/core/manual_clock.ts";
import { Driver } from "../../src/core/sans_io.ts";
import { accountDigests, answerChallenge, chooseChallenge } from "../../src/sip/auth/mod.ts";
import { Dialog, dialogKeyOfRequest, dialogKeyOfResponse } from "../../src/sip/dialog/dialog.ts";
import { createInvite, createRegister, createRequest } from "../../src/sip/dialog/requests.ts";
import type { Flow, SipTransport } from "../../src/sip/flow.ts";
import {
  createResponse,
  parseMessage,
  type SipMessage,
  type SipRequest,
  type SipResponse,
} from "../../src/sip/message/mod.ts";
import {
  ProxyCore,
  type ProxyOptions,
  type ProxyOutput,
  type ProxyPolicy,
} from "../../src/sip/proxy/proxy.ts";
import type { ProxyInput } from "../../src/sip/proxy/proxy.ts";
import {
  clientTransactionId,
  type ServerTransactionId,
  SipStack,
  type StackOutput,
} from "../../src/sip/stack.ts";
import type { StackInput } from "../../src/sip/stack_io.ts";

/**
 * Registrar, proxy and user agents over flows that may lose, repeat and overtake, on a clock that a
 * test moves. The user agents are as simple as RFC 3261 lets them be: scripted phones.
 */

export interface LinkFaults {
  /** Chance that a message is lost. */
  readonly loss: number;
  /** Chance that it comes twice. */
  readonly duplication: number;
  /** Longest delay, ms; each message draws its own, so that they overtake. */
  readonly delay: number;
}

export const NO_FAULTS: LinkFaults = { loss: 0, duplication: 0, delay: 0 };
export const REALM = "portzero.test";

export interface WorldOptions {
  readonly seed?: number;
  readonly transport?: SipTransport;
  readonly faults?: LinkFaults;
  /** Accounts by name with their passwords; every other name is a guest. */
  readonly accounts?: Readonly<Record<string, string>>;
  readonly proxy?: Partial<ProxyOptions>;
  /** A dial plan. */
  readonly translate?: ProxyPolicy["translate"];
}

export class World {
  readonly clock = new ManualClock();
  readonly entropy: SeededEntropy;
  readonly proxy: ProxyCore;
  readonly events: Exclude<ProxyOutput, { type: "send" }>[] = [];
  /** What passed the proxy's flows: `phone > INVITE`, `phone < 180`. */
  readonly ladder: string[] = [];
  readonly transport: SipTransport;
  readonly #faults: LinkFaults;
  readonly #driver: Driver<ProxyInput, ProxyOutput>;
  readonly #phones = new Map<FlowId, Phone>();

  constructor(options: WorldOptions = {}) {
    this.entropy = new SeededEntropy(options.seed ?? 1);
    this.transport = options.transport ?? "TCP";
    this.#faults = options.faults ?? NO_FAULTS;
    const { translate } = options;
    const policy = { ...createPolicy(options.accounts ?? {}), ...(translate ? { translate } : {}) };
    const sentBy = "proxy.test:5060";
    this.proxy = new ProxyCore({ entropy: this.entropy, sentBy, policy, ...options.proxy });
    this.#driver = new Driver(this.proxy, this.clock, (output) => this.#take(output));
  }

  phone(
    name: string,
    behaviour: Partial<Behaviour> = {},
    password = "",
    transport = this.transport,
  ): Phone {
    const id = `${name}${this.#phones.size}` as FlowId;
    const flow: Flow = { id, transport, remote: `memory:${id}` };
    const phone = new Phone(this, name, flow, behaviour, password);
    this.#phones.set(id, phone);
    return phone;
  }

  /** From a phone to the proxy. */
  toProxy(flow: Flow, bytes: Uint8Array): void {
    this.#carry(() => {
      if (!this.#phones.has(flow.id)) return;
      this.ladder.push(`${flow.id} > ${describe(bytes)}`);
      this.#driver.feed({ type: "receive", flow, bytes });
    });
  }

  closeFlow(flow: Flow): void {
    this.#phones.delete(flow.id);
    this.#driver.feed({ type: "flow-closed", flow: flow.id });
  }

  feed(input: ProxyInput): void {
    this.#driver.feed(input);
  }

  /** Moves time on until no timer is left (bindings last two hours at most). */
  settle(): void {
    this.clock.advance(3 * 3_600_000);
  }

  #take(output: ProxyOutput): void {
    if (output.type !== "send") {
      this.events.push(output);
      return;
    }
    const { flow, bytes } = output;
    this.#carry(() => {
      const phone = this.#phones.get(flow.id);
      if (!phone) return;
      this.ladder.push(`${flow.id} < ${describe(bytes)}`);
      phone.receive(bytes);
    });
  }

  /** Always later, never at once: a hop is asynchronous even in memory. */
  #carry(deliver: () => void): void {
    const { loss, duplication, delay } = this.#faults;
    if (this.entropy.fraction() < loss) return;
    const times = this.entropy.fraction() < duplication ? 2 : 1;
    for (let i = 0; i < times; i++) {
      this.clock.setTimeout(deliver, delay === 0 ? 0 : this.entropy.below(delay));
    }
  }
}

function createPolicy(passwords: Readonly<Record<string, string>>): ProxyPolicy {
  const has = (name: string) => Object.hasOwn(passwords, name);
  return {
    isOurs: (host) => host === REALM || host === "proxy.test",
    canonicalDomain: REALM,
    authorize: (request, _flow, registered) => {
      const claimed = (request.method === "REGISTER" ? request.to : request.from).uri.user ?? "";
      if (registered !== null && request.method !== "REGISTER") {
        return { kind: "allow", identity: registered };
      }
      if (!has(claimed)) return { kind: "allow", identity: claimed };
      return { kind: "challenge", realm: REALM, username: claimed };
    },
    account: (name) =>
      has(name)
        ? { user: name, digests: accountDigests(name, REALM, passwords[name] ?? "") }
        : undefined,
    hasAccount: has,
  };
}

function describe(bytes: Uint8Array): string {
  const parsed = parseMessage(bytes);
  if (!parsed.ok) return parsed.error.kind;
  const message = parsed.value;
  return message.kind === "request" ? message.method : `${message.status} ${message.cseq.method}`;
}

/** How long a caller waits for a final response and a callee rings, ms; longer than timer C. */
const GIVE_UP_AFTER = 240_000;

export interface Behaviour {
  /** ms from INVITE to 180; undefined: no 180. */
  readonly ringAfter: number | undefined;
  /** ms from INVITE to the final response; undefined: none until cancelled. */
  readonly answerAfter: number | undefined;
  readonly answer: number;
  /** Methods that get no answer outside dialogs. */
  readonly unanswered: readonly string[];
  /** Contact of a 3xx. */
  readonly redirectTo: string | undefined;
  /** ms from being answered, as caller, to BYE; undefined: none. */
  readonly hangupAfter: number | undefined;
}

const DEFAULT_BEHAVIOUR: Behaviour = {
  ringAfter: 10,
  answerAfter: 1_000,
  answer: 200,
  unanswered: [],
  redirectTo: undefined,
  hangupAfter: 5_000,
};

/** What a phone takes outside dialogs beside INVITE. */
const ANSWERED = new Set(["MESSAGE", "SUBSCRIBE", "NOTIFY", "OPTIONS", "REFER", "PUBLISH"]);

interface Incoming {
  readonly id: ServerTransactionId;
  readonly request: SipRequest;
  readonly dialog: Dialog;
  answered: boolean;
}

/** How an INVITE of a phone ended, as its user sees it. */
export interface Outcome {
  readonly kind: "final" | "failed";
  readonly status: number;
}

/** A scripted user agent with a stack of its own. */
export class Phone {
  readonly name: string;
  readonly flow: Flow;
  readonly stack: SipStack;
  readonly contact: string;
  readonly heard: string[] = [];
  /** By Call-ID: final outcomes of INVITEs sent; more than one is a fault. */
  readonly outcomes = new Map<string, Outcome[]>();
  readonly responses: SipResponse[] = [];
  readonly requests: SipRequest[] = [];
  readonly dialogs = new Map<string, Dialog>();
  readonly #world: World;
  readonly #entropy: Entropy;
  readonly #password: string;
  readonly #driver: Driver<StackInput, StackOutput>;
  readonly #incoming = new Map<ServerTransactionId, Incoming>();
  readonly #sent = new Map<string, SipRequest>();
  readonly #behaviour: Behaviour;
  /** False once the flow broke. */
  connected = true;
  #sequence = 0;
  #ids = 0;

  constructor(
    world: World,
    name: string,
    flow: Flow,
    behaviour: Partial<Behaviour>,
    password: string,
  ) {
    this.#world = world;
    this.name = name;
    this.flow = flow;
    this.#entropy = world.entropy;
    this.#behaviour = { ...DEFAULT_BEHAVIOUR, ...behaviour };
    this.#password = password;
    const sentBy = `${flow.id}.test:5060`;
    this.contact = `sip:${randomHex(world.entropy, 64)}@${sentBy}`;
    this.stack = new SipStack({ entropy: world.entropy, sentBy, userAgent: true });
    this.#driver = new Driver(this.stack, world.clock, (output) => this.#take(output));
  }

  get aor(): string {
    return `sip:${this.name}@${REALM}`;
  }

  receive(bytes: Uint8Array): void {
    this.#driver.feed({ type: "receive", flow: this.flow, bytes });
  }

  /** The flow breaks for both ends. */
  disconnect(): void {
    this.connected = false;
    this.#world.closeFlow(this.flow);
    this.#driver.feed({ type: "flow-closed", flow: this.flow.id });
  }

  register(expires = 3600, contact = `<${this.contact}>`, aor = this.aor): void {
    const request = createRegister({
      aor,
      requestUri: `sip:${REALM}`,
      from: `<${aor}>;tag=${randomHex(this.#entropy, 32)}`,
      callId: `register-${this.flow.id}`,
      sequence: ++this.#sequence,
      contact,
      expires,
    });
    this.send(request);
  }

  /** Calls `user`; gives back the Call-ID. */
  invite(user: string, from = this.aor): string {
    const callId = randomHex(this.#entropy, 64);
    const request = createInvite({
      requestUri: user.startsWith("sip:") ? user : `sip:${user}@${REALM}`,
      from: `<${from}>;tag=${randomHex(this.#entropy, 32)}`,
      to: user.startsWith("sip:") ? `<${user}>` : `<sip:${user}@${REALM}>`,
      callId,
      sequence: ++this.#sequence,
      contact: `<${this.contact}>`,
    });
    this.outcomes.set(callId, []);
    this.send(request, `invite ${callId}`);
    // A ringing INVITE has no timer of its own: a 2xx lost with its sender would hang it for ever.
    this.#world.clock.setTimeout(() => this.cancel(callId), GIVE_UP_AFTER);
    return callId;
  }

  message(user: string): void {
    this.send(createRequest({
      method: "MESSAGE",
      requestUri: `sip:${user}@${REALM}`,
      from: `<${this.aor}>;tag=${randomHex(this.#entropy, 32)}`,
      to: `<sip:${user}@${REALM}>`,
      callId: randomHex(this.#entropy, 64),
      sequence: ++this.#sequence,
    }));
  }

  cancel(callId: string): void {
    for (const id of [`invite ${callId}`, `invite ${callId} again`]) {
      this.#driver.feed({ type: "cancel", id: clientTransactionId(id) });
    }
  }

  /** Sends any request in a transaction of its own. */
  send(request: SipRequest, id = `${request.method} ${++this.#ids}`): void {
    this.#sent.set(id, request.clone());
    this.#driver.feed({ type: "request", id: clientTransactionId(id), request, flow: this.flow });
  }

  #take(output: StackOutput): void {
    switch (output.type) {
      case "send":
        this.#world.toProxy(this.flow, output.bytes);
        return;
      case "request":
        this.requests.push(output.request);
        this.heard.push(output.request.method);
        return this.#request(output.id, output.request);
      case "ack":
        this.heard.push("ACK");
        return;
      case "cancelled":
        this.heard.push(`CANCEL ${output.reason ?? ""}`.trim());
        return this.#answer(output.id, 487);
      case "response":
        this.responses.push(output.response);
        this.heard.push(`${output.response.status} ${output.response.cseq.method}`);
        return this.#response(output.id, output.response);
      case "failed":
        this.heard.push(`failed ${output.reason}`);
        this.#outcome(output.id, { kind: "failed", status: 0 });
        return;
      case "server-failed": {
        this.heard.push(`server-failed ${output.reason}`);
        const incoming = this.#incoming.get(output.id);
        if (output.reason === "timeout" && incoming?.dialog.state === "confirmed") {
          this.#bye(incoming.dialog);
        }
        return;
      }
      case "terminated":
        this.#incoming.delete(output.id as ServerTransactionId);
        this.#sent.delete(output.id);
        return;
      case "malformed":
        throw new Error(`the proxy sent ${output.fault.text}`);
    }
  }

  #request(id: ServerTransactionId, request: SipRequest): void {
    if (request.method === "INVITE" && request.to.tag === undefined) {
      return this.#ring(id, request);
    }
    const dialog = this.dialogs.get(dialogKeyOfRequest(request));
    const received = dialog?.receive(request);
    if (!dialog || !received?.ok) {
      if (this.#behaviour.unanswered.includes(request.method)) return;
      const isKnown = request.to.tag === undefined || request.method === "NOTIFY";
      const status = ANSWERED.has(request.method) && isKnown ? 200 : 481;
      const headers: [string, string][] = [["Contact", `<${this.contact}>`]];
      const response = createResponse(request, status, undefined, { toTag: "none", headers });
      return this.#driver.feed({ type: "respond", id, response });
    }
    if (request.method === "BYE") this.#end(dialog);
    const contact = `<${this.contact}>`;
    const response = dialog.respond(request, 200, undefined, { contact });
    this.#driver.feed({ type: "respond", id, response });
  }

  #ring(id: ServerTransactionId, request: SipRequest): void {
    const made = Dialog.ofUas(request, randomHex(this.#entropy, 32));
    if (!made.ok) throw new Error(made.error);
    this.#incoming.set(id, { id, request, dialog: made.value, answered: false });
    const { ringAfter, answerAfter, answer } = this.#behaviour;
    // A CANCEL needs a provisional to have got through: without a limit a phone might ring for
    // ever.
    this.#world.clock.setTimeout(() => this.#answer(id, 480), GIVE_UP_AFTER);
    if (ringAfter !== undefined) {
      this.#world.clock.setTimeout(() => this.#answer(id, 180), ringAfter);
    }
    if (answerAfter !== undefined) {
      this.#world.clock.setTimeout(() => this.#answer(id, answer), answerAfter);
    }
  }

  #answer(id: ServerTransactionId, status: number): void {
    const incoming = this.#incoming.get(id);
    if (!incoming || incoming.answered) return;
    const { dialog, request } = incoming;
    if (status >= 200) incoming.answered = true;
    if (status >= 200 && status < 300) {
      dialog.confirm();
      this.dialogs.set(dialog.key, dialog);
    }
    const contact = `<${this.contact}>`;
    const { redirectTo } = this.#behaviour;
    const response = dialog.respond(request, status, undefined, {
      contact: status >= 300 && redirectTo !== undefined ? redirectTo : contact,
    });
    this.#driver.feed({ type: "respond", id, response });
  }

  #response(id: string, response: SipResponse): void {
    const request = this.#sent.get(id);
    const { status } = response;
    if (status < 200 || !request) return;
    if (response.cseq.method === "INVITE") return this.#inviteFinal(id, request, response);
    if ((status === 401 || status === 407) && this.#password !== "") this.#prove(request, response);
  }

  #inviteFinal(id: string, request: SipRequest, response: SipResponse): void {
    const { status } = response;
    if (status === 407 && this.#password !== "" && !request.headers.has("Proxy-Authorization")) {
      return this.#prove(request, response);
    }
    if (status >= 300) return this.#outcome(id, { kind: "final", status });
    const key = dialogKeyOfResponse(response);
    const known = this.dialogs.get(key);
    const made = known ? undefined : Dialog.ofUac(request, response);
    const dialog = known ?? (made?.ok ? made.value : undefined);
    if (!dialog) throw new Error("2xx makes no dialog");
    const ack = dialog.ack(request.cseq.sequence);
    this.#driver.feed({ type: "ack", request: ack, flow: this.flow });
    if (known) return;
    this.dialogs.set(key, dialog);
    const isFirst = (this.outcomes.get(request.callId)?.length ?? 0) === 0;
    this.#outcome(id, { kind: "final", status });
    const { hangupAfter } = this.#behaviour;
    // A second callee that answered is let go at once (13.2.2.4).
    if (!isFirst) this.#bye(dialog);
    else if (hangupAfter !== undefined) {
      this.#world.clock.setTimeout(() => this.#bye(dialog), hangupAfter);
    }
  }

  hangup(): void {
    for (const dialog of [...this.dialogs.values()]) this.#bye(dialog);
  }

  #bye(dialog: Dialog): void {
    if (dialog.state === "terminated") return;
    const bye = dialog.request("BYE");
    this.#end(dialog);
    this.send(bye);
  }

  #end(dialog: Dialog): void {
    dialog.terminate();
  }

  /** The same request with credentials (RFC 3261 22.2). */
  #prove(request: SipRequest, response: SipResponse): void {
    const isProxy = response.status === 407;
    const name = isProxy ? "Proxy-Authorization" : "Authorization";
    if (request.headers.has(name)) return;
    const values = response.headers
      .fields(isProxy ? "Proxy-Authenticate" : "WWW-Authenticate")
      .map((field) => field.value);
    const challenge = chooseChallenge(values);
    if (!challenge) throw new Error("no challenge that can be answered");
    const answer = answerChallenge({
      challenge,
      method: request.method,
      uri: request.uri,
      username: this.name,
      password: this.#password,
      cnonce: randomHex(this.#entropy, 64),
      nonceCount: 1,
    });
    if (!answer.ok) throw new Error(answer.error.text);
    const again = request.clone();
    again.headers.remove("Via");
    again.headers.set("CSeq", `${++this.#sequence} ${request.method}`);
    again.headers.append(name, answer.value);
    const id = request.method === "INVITE" ? `invite ${request.callId} again` : undefined;
    this.send(again, id);
  }

  #outcome(id: string, outcome: Outcome): void {
    const callId = id.split(" ")[1] ?? "";
    this.outcomes.get(callId)?.push(outcome);
  }
}

/** Statuses of the responses among `messages`. */
export function statuses(messages: readonly SipMessage[]): number[] {
  return messages.flatMap((m) => m.kind === "response" ? [m.status] : []);
}
