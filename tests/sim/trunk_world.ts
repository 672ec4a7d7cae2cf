import { randomHex } from "../../src/core/entropy.ts";
import type { FlowId } from "../../src/core/ids.ts";
import { err, ok } from "../../src/core/result.ts";
import { Driver } from "../../src/core/sans_io.ts";
import type { DialPlanOptions, TrunkOptions } from "../../src/actors/trunks.ts";
import type { HouseAccount } from "../../src/actors/house_policy.ts";
import type { AccountStore } from "../../src/sip/auth/accounts.ts";
import { accountDigests, NonceStore } from "../../src/sip/auth/mod.ts";
import { Dialog } from "../../src/sip/dialog/dialog.ts";
import { createInvite } from "../../src/sip/dialog/requests.ts";
import { type Flow, hostPort } from "../../src/sip/flow.ts";
import {
  createResponse,
  parseMessage,
  serialize,
  type SipRequest,
  type SipResponse,
} from "../../src/sip/message/mod.ts";
import { Authenticator } from "../../src/sip/proxy/authenticator.ts";
import {
  clientTransactionId,
  type ServerTransactionId,
  SipStack,
  type StackInput,
  type StackOutput,
} from "../../src/sip/stack.ts";
import { readPhoneSdp, writePhoneSdp } from "./phone_sdp.ts";
import { SimRtpMedia } from "./rtp_media.ts";
import { type HopFaults, OPTIONS, SimWorld } from "./world.ts";

/** Our house and carriers at the far ends of trunks. */

const CODECS = [[8, "PCMA/8000"], [0, "PCMU/8000"]] as const;
const SDP = "application/sdp";

export interface CarrierOptions {
  readonly address: string;
  /** Proves REGISTER and INVITE by digest where there is one. */
  readonly user?: string;
  readonly password?: string;
  /** The shortest session interval that it takes (RFC 4028), s. */
  readonly minSe?: number;
  /** Absent: PCMA and PCMU, and nothing for digits. */
  readonly codecs?: readonly (readonly [number, string])[];
}

/** A carrier's gateway: answers what it is told to answer. */
export class SimCarrier {
  readonly flow: Flow;
  readonly heard: SipRequest[] = [];
  readonly responses: SipResponse[] = [];
  /** Final status of an INVITE; `silent`: none at all. */
  onInvite: number | "silent" | "ring" = 200;
  onOptions: number | "silent" = 200;
  registered = 0;
  readonly #world: TrunkWorld;
  readonly #options: CarrierOptions;
  readonly #driver: Driver<StackInput, StackOutput>;
  readonly #authenticator: Authenticator;
  readonly #dialogs = new Map<string, Dialog>();
  #serial = 0;

  constructor(world: TrunkWorld, options: CarrierOptions) {
    this.#world = world;
    this.#options = options;
    const { address } = options;
    this.flow = {
      id: `udp/${address}` as FlowId,
      transport: "UDP",
      remote: `${address}:5060`,
      peer: { address, port: 5060 },
    };
    this.#authenticator = new Authenticator(new NonceStore(world.chance));
    const stack = new SipStack({
      entropy: world.chance,
      sentBy: `${address}:5060`,
      userAgent: true,
    });
    this.#driver = new Driver(stack, world.clock, (output) => this.#hear(output));
  }

  requests(method: string): SipRequest[] {
    return this.heard.filter((request) => request.method === method);
  }

  receive(bytes: Uint8Array): void {
    if (bytes.length < 8) return;
    // A stack would say 100 by itself.
    if (this.onInvite === "silent" && messageIn(bytes).cseq.method === "INVITE") return;
    this.#driver.feed({ type: "receive", flow: this.flow, bytes });
  }

  /** Calls one of our numbers. */
  call(number: string, from = `sip:+4917012345@${this.#options.address}`): void {
    const offer = this.#describe();
    const invite = createInvite({
      requestUri: `sip:${number}@127.0.0.1:5060`,
      from: `<${from}>;tag=${this.#token()}`,
      to: `<sip:${number}@127.0.0.1:5060>`,
      callId: this.#token(),
      sequence: 1,
      contact: `<sip:gw@${this.#options.address}>`,
      body: { contentType: SDP, bytes: new TextEncoder().encode(offer) },
    });
    this.send(invite);
  }

  send(request: SipRequest): void {
    const id = clientTransactionId(`c${++this.#serial}`);
    this.#sent.set(id, request.clone());
    this.#driver.feed({ type: "request", id, request, flow: this.flow });
  }

  /** Ends every call. */
  hangup(): void {
    for (const dialog of this.#dialogs.values()) this.send(dialog.request("BYE"));
    this.#dialogs.clear();
  }

  /** A request inside the dialog that was made last, over a connection to us of `address`. */
  fromConnection(method: string, address: string): void {
    const dialog = [...this.#dialogs.values()].at(-1)!;
    const request = dialog.request(method);
    request.headers.prepend("Via", `SIP/2.0/TCP ${address}:40123;branch=z9hG4bK${this.#token()}`);
    const flow: Flow = {
      id: `tcp/${address}` as FlowId,
      transport: "TCP",
      remote: `${address}:40123`,
      peer: { address, port: 40_123 },
    };
    this.#world.plane.receiveWire({ type: "receive", flow, bytes: serialize(request) });
  }

  stop(): void {
    this.#driver.close();
  }

  readonly #sent = new Map<string, SipRequest>();

  #hear(output: StackOutput): void {
    switch (output.type) {
      case "send":
        return this.#world.toHouse(this, output.bytes);
      case "request":
        this.heard.push(output.request);
        return this.#take(output.id, output.request);
      case "ack":
        this.heard.push(output.request);
        return;
      case "cancelled":
        return this.#answerCancelled(output.id);
      case "response":
        return this.#takeResponse(output.id, output.response);
      default:
        return;
    }
  }

  readonly #ringing = new Map<ServerTransactionId, SipRequest>();

  #answerCancelled(id: ServerTransactionId): void {
    const request = this.#ringing.get(id);
    if (request) this.#respond(id, request, 487);
  }

  #take(id: ServerTransactionId, request: SipRequest): void {
    switch (request.method) {
      case "OPTIONS":
        if (this.onOptions !== "silent") this.#respond(id, request, this.onOptions);
        return;
      case "REGISTER":
        if (!this.#isProven(id, request)) return;
        this.registered = request.expires ?? 0;
        return this.#respond(id, request, 200, {
          headers: [["Contact", `${request.headers.get("Contact")};expires=${this.registered}`]],
        });
      case "INVITE":
        return this.#invite(id, request);
      case "BYE":
        this.#dialogs.delete(request.callId);
        return this.#respond(id, request, 200);
      default:
        return this.#respond(id, request, 200);
    }
  }

  #invite(id: ServerTransactionId, request: SipRequest): void {
    const status = this.onInvite;
    if (status === "silent") return;
    if (request.to.tag === undefined && !this.#isProven(id, request)) return;
    const { minSe = 0 } = this.#options;
    if (Number.parseInt(request.headers.get("Session-Expires") ?? "3600") < minSe) {
      return this.#respond(id, request, 422, { headers: [["Min-SE", String(minSe)]] });
    }
    const offer = readPhoneSdp(new TextDecoder().decode(request.body));
    if (!offer) this.#world.violate(`${this.#options.address} was offered nothing to read`);
    if (status === "ring") {
      this.#ringing.set(id, request);
      return this.#respond(id, request, 180);
    }
    if (status >= 300) return this.#respond(id, request, status);
    const tag = this.#dialogs.get(request.callId)?.localTag ?? this.#token();
    const dialog = Dialog.ofUas(request, tag);
    if (dialog.ok && !this.#dialogs.has(request.callId)) {
      dialog.value.confirm();
      this.#dialogs.set(request.callId, dialog.value);
    }
    const response = createResponse(request, 200, undefined, {
      toTag: tag,
      recordRoute: true,
      headers: [["Contact", `<sip:gw@${this.#options.address}>`]],
      body: new TextEncoder().encode(this.#describe()),
      contentType: SDP,
    });
    this.#driver.feed({ type: "respond", id, response });
  }

  #isProven(id: ServerTransactionId, request: SipRequest): boolean {
    const { user, password, address: realm } = this.#options;
    if (user === undefined || password === undefined) return true;
    const proof = this.#authenticator.prove({
      request,
      realm,
      username: null,
      account: (name) =>
        name === user ? { user, digests: accountDigests(user, realm, password) } : undefined,
      now: this.#world.clock.now(),
    });
    if (proof.kind === "proven") return true;
    if (proof.kind === "wrong") this.#respond(id, request, 403);
    else {
      const headers = proof.values.map((value): [string, string] => [proof.header, value]);
      this.#respond(id, request, proof.status, { headers });
    }
    return false;
  }

  #takeResponse(id: string, response: SipResponse): void {
    this.responses.push(response);
    const request = this.#sent.get(id);
    if (!request || request.method !== "INVITE" || response.status < 200) return;
    if (response.status >= 300) return;
    const dialog = Dialog.ofUac(request, response);
    if (!dialog.ok) return this.#world.violate(dialog.error);
    this.#dialogs.set(request.callId, dialog.value);
    const ack = dialog.value.ack(request.cseq.sequence);
    this.#driver.feed({ type: "ack", request: ack, flow: this.flow });
  }

  #respond(
    id: ServerTransactionId,
    request: SipRequest,
    status: number,
    options: { readonly headers?: Iterable<readonly [string, string]> } = {},
  ): void {
    const response = createResponse(request, status, undefined, {
      toTag: this.#token(),
      recordRoute: true,
      ...options,
    });
    if (request.method === "INVITE" && status < 200) {
      response.headers.append("Contact", `<sip:gw@${this.#options.address}>`);
    }
    this.#driver.feed({ type: "respond", id, response });
  }

  #describe(): string {
    const { address } = this.#options;
    const { codecs = CODECS } = this.#options;
    return writePhoneSdp({ address, port: 4000, direction: "sendrecv", codecs, version: 1 });
  }

  #token(): string {
    return randomHex(this.#world.chance, 64);
  }
}

export const TRUNK: Omit<TrunkOptions, "name" | "host"> = {
  port: 5060,
  transport: "udp",
  register: null,
  priority: 10,
  callerId: "from",
  number: "",
  optionsSeconds: 30,
  srtp: false,
  media: "relay",
  codecs: null,
  dtmf: "rfc2833",
  allow: [],
};

export interface TrunkWorldOptions {
  readonly seed?: number;
  readonly accounts: readonly HouseAccount[];
  readonly trunks: readonly TrunkOptions[];
  readonly dialPlan: DialPlanOptions;
  /** By address; all that trunks name. */
  readonly carriers: readonly CarrierOptions[];
  /** What the wires do to messages. */
  readonly wire?: HopFaults;
  /** Accounts that operators make. */
  readonly store?: AccountStore;
}

export class TrunkWorld extends SimWorld {
  readonly rtp: SimRtpMedia;
  readonly carriers = new Map<string, SimCarrier>();
  readonly #faults: HopFaults | undefined;

  constructor(options: TrunkWorldOptions) {
    let made: SimRtpMedia | undefined;
    const { accounts, trunks, dialPlan, seed = 1 } = options;
    super({
      seed,
      plane: {
        sip: { ...OPTIONS.sip, accounts, isOwnPort: (port) => port === 5060 },
        trunks,
        dialPlan,
      },
      ports: ({ clock, chance }) => ({
        rtp: made = new SimRtpMedia(clock, chance),
        ...(options.store ? { accounts: options.store } : {}),
        wire: {
          send: (flow, bytes) => {
            const carrier = this.carriers.get(flow.peer?.address ?? "");
            if (carrier) this.#carry(() => carrier.receive(bytes));
          },
          resolve: ({ address, port = 5060 }, done) =>
            clock.defer(() => done(ok([{ transport: "UDP", host: address, port, name: address }]))),
          connect: ({ host, port }, done) =>
            clock.defer(() => {
              const carrier = this.carriers.get(host);
              done(carrier ? ok(carrier.flow) : err(`Cannot connect to ${hostPort(host, port)}`));
            }),
        },
      }),
    });
    this.rtp = made!;
    this.#faults = options.wire;
    for (const carrier of options.carriers) {
      this.carriers.set(carrier.address, new SimCarrier(this, carrier));
    }
  }

  carrier(address: string): SimCarrier {
    return this.carriers.get(address)!;
  }

  toHouse({ flow }: SimCarrier, bytes: Uint8Array): void {
    this.#carry(() => this.plane.receiveWire({ type: "receive", flow, bytes }));
  }

  #carry(deliver: () => void): void {
    const faults = this.#faults;
    if (!faults) return this.clock.defer(deliver);
    const copies = this.chance.fraction() < faults.duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.chance.fraction() < faults.loss) continue;
      this.clock.setTimeout(deliver, 1 + this.chance.below(faults.delayMs));
    }
  }

  /** Speaks from an address that no trunk has. */
  fromStranger(request: SipRequest, bytes: Uint8Array): void {
    void request;
    const flow: Flow = {
      id: "udp/stranger" as FlowId,
      transport: "UDP",
      remote: "198.51.100.9:5060",
      peer: { address: "198.51.100.9", port: 5060 },
    };
    this.plane.receiveWire({ type: "receive", flow, bytes });
  }

  override finish(): string[] {
    for (const client of this.clients) {
      // What was lost on the way may still come.
      client.onIncoming = (call) => client.hangup(call);
      for (const call of client.live) client.hangup(call);
    }
    this.clock.advance(120_000);
    if (this.rtp.live.size > 0) this.violate(`${this.rtp.live.size} RTP endpoints left over`);
    this.plane.stop(() => {});
    this.clock.advance(600_000);
    for (const carrier of this.carriers.values()) carrier.stop();
    const violations = super.finish();
    for (const text of this.errors) this.violate(`logged: ${text}`);
    return violations;
  }
}

/** The message in `bytes`; for what a test sends by itself. */
export function messageIn(bytes: Uint8Array) {
  const parsed = parseMessage(bytes);
  if (!parsed.ok) throw new Error(parsed.error.text);
  return parsed.value;
}
