import { accountDigests } from "../../src/sip/auth/mod.ts";
import { defaultSettings } from "../../src/actors/edge/contract.ts";
import type { FlowId } from "../../src/core/ids.ts";
import { err, ok } from "../../src/core/result.ts";
import { Driver } from "../../src/core/sans_io.ts";
import { type Flow, hostPort } from "../../src/sip/flow.ts";
import {
  createResponse,
  parseMessage,
  serialize,
  type SipMessage,
  type SipRequest,
} from "../../src/sip/message/mod.ts";
import {
  ProxyCore,
  type ProxyInput,
  type ProxyOutput,
  type ProxyPolicy,
} from "../../src/sip/proxy/proxy.ts";
import type { SessionProfile } from "../../src/actors/client.ts";
import type { SimClient } from "./client.ts";
import { SimRtpMedia } from "./rtp_media.ts";
import { type HopFaults, OPTIONS, SimWorld } from "./world.ts";

/** Our house and a server of others, registrar and proxy, at the far end of a wire. */

export const PBX = { host: "pbx.example", address: "192.0.2.50", port: 5070 } as const;
export const PASSWORD = "s3cret";
const OUR_FLOW: Flow = {
  id: "udp/house" as FlowId,
  transport: "UDP",
  remote: "127.0.0.1:5060",
  peer: { address: "127.0.0.1", port: 5060 },
};

export interface OutsideWorldOptions {
  readonly seed: number;
  /** What the wire does to messages. */
  readonly wire?: HopFaults;
  /** User parts known to the server, with another name for the digest. */
  readonly users: Readonly<Record<string, string>>;
  /** The server hears nothing. */
  readonly silent?: boolean;
  readonly addContactId?: boolean;
  /** Places that the server's name leads to before the one that works: what each does. */
  readonly ailing?: readonly ("silent" | "503" | "late")[];
}

export class OutsideWorld extends SimWorld {
  readonly pbx: ProxyCore;
  readonly rtp: SimRtpMedia;
  /** What went over the wire: `> REGISTER`, `< 401 REGISTER`. */
  readonly ladder: string[] = [];
  readonly sent: SipMessage[] = [];
  readonly pbxFlow: Flow = {
    id: "udp/pbx" as FlowId,
    transport: "UDP",
    remote: hostPort(PBX.address, PBX.port),
    peer: { address: PBX.address, port: PBX.port },
  };
  silent: boolean;
  /** Keep-alives that came, by our time (RFC 5626 4.4). */
  readonly keepAlives: number[] = [];
  /** Requests that went to places that do not work. */
  readonly astray: SipRequest[] = [];
  readonly #driver: Driver<ProxyInput, ProxyOutput>;
  readonly #wire: HopFaults | undefined;

  constructor(options: OutsideWorldOptions) {
    let toPbx: (flow: Flow, bytes: Uint8Array) => void = () => {};
    let made: SimRtpMedia | undefined;
    super({
      seed: options.seed,
      plane: { sip: { ...OPTIONS.sip, addContactId: options.addContactId ?? true } },
      ports: ({ clock, chance }) => ({
        rtp: made = new SimRtpMedia(clock, chance),
        wireSettings: defaultSettings,
        wire: {
          send: (flow, bytes) => toPbx(flow, bytes),
          resolve: (uri, done) =>
            clock.defer(() => {
              const { address: name, port = 5060 } = uri;
              const host = name === PBX.host ? PBX.address : name;
              const isKnown = /^[\d.]+$/.test(host);
              const ailing = name === PBX.host ? options.ailing ?? [] : [];
              const hosts = [...ailing.map((_, index) => `192.0.2.${60 + index}`), host];
              const targets = hosts.map((each) =>
                ({ transport: "UDP", host: each, port, name }) as const
              );
              done(isKnown ? ok(targets) : err(`${name} has no address`));
            }),
          connect: ({ transport, host, port }, done) =>
            clock.defer(() => {
              const isPbx = host === PBX.address && port === PBX.port;
              const index = Number(host.split(".")[3]) - 60;
              if (options.ailing?.[index]) return done(ok(placeFlow(host)));
              done(
                transport === "UDP" && isPbx
                  ? ok(this.pbxFlow)
                  : err(`Cannot connect to ${transport} ${hostPort(host, port)}: refused`),
              );
            }),
        },
      }),
    });
    this.rtp = made!;
    this.#wire = options.wire;
    this.silent = options.silent ?? false;
    this.pbx = new ProxyCore({
      entropy: this.chance,
      sentBy: hostPort(PBX.address, PBX.port),
      policy: pbxPolicy(options.users),
    });
    this.#driver = new Driver(this.pbx, this.clock, (output) => {
      if (output.type !== "send") return;
      this.#keep("<", output.bytes);
      const flow = this.pbxFlow;
      this.#carry(() => this.plane.receiveWire({ type: "receive", flow, bytes: output.bytes }));
    });
    toPbx = (flow, bytes) => {
      if (bytes.length < 8) return void this.keepAlives.push(this.clock.now());
      const index = Number(flow.peer?.address.split(".")[3]) - 60;
      const ails = options.ailing?.[index];
      if (ails) return this.#astray(ails, flow, bytes);
      this.#keep(">", bytes);
      if (!this.silent) {
        this.#carry(() => this.#driver.feed({ type: "receive", flow: OUR_FLOW, bytes }));
      }
    };
  }

  /** A page whose session is a client of the server. */
  guest(login: string, profile: Partial<SessionProfile> = {}): SimClient {
    return this.client(login).connect({
      domain: PBX.host,
      outboundProxy: PBX.address,
      port: PBX.port,
      password: PASSWORD,
      isOutside: true,
      ...profile,
    });
  }

  /** Says something from an address that is not the server's. */
  fromStranger(bytes: Uint8Array): void {
    const peer = { address: "198.51.100.9", port: 5060 };
    const flow: Flow = {
      id: "udp/stranger" as FlowId,
      transport: "UDP",
      remote: "198.51.100.9:5060",
      peer,
    };
    this.plane.receiveWire({ type: "receive", flow, bytes });
  }

  /** Requests of a method that went to the server, in order. */
  requests(method: string): Extract<SipMessage, { kind: "request" }>[] {
    return this.sent.flatMap((message) =>
      message.kind === "request" && message.method === method ? [message] : []
    );
  }

  override finish(): string[] {
    for (const client of this.clients) for (const call of client.live) client.hangup(call);
    this.clock.advance(120_000);
    if (this.rtp.live.size > 0) this.violate(`${this.rtp.live.size} RTP endpoints left over`);
    this.plane.stop(() => {});
    this.clock.advance(3 * 3_600_000);
    this.#driver.close();
    const violations = super.finish();
    for (const text of this.errors) this.violate(`logged: ${text}`);
    return violations;
  }

  #astray(ails: "silent" | "503" | "late", flow: Flow, bytes: Uint8Array): void {
    const parsed = parseMessage(bytes);
    if (!parsed.ok || parsed.value.kind !== "request") return;
    const request = parsed.value;
    this.astray.push(request);
    if (ails === "silent" || request.method === "ACK") return;
    const say = (status: number, contact: Readonly<Record<string, string>> = {}) => {
      const headers = Object.entries(contact);
      const response = createResponse(request, status, undefined, { toTag: "astray", headers });
      const said = serialize(response);
      this.plane.receiveWire({ type: "receive", flow, bytes: said });
    };
    if (ails === "503") return this.#carry(() => say(503));
    if (request.method !== "INVITE") return say(200);
    this.clock.setTimeout(() => say(200, { Contact: `<sip:late@${flow.remote}>` }), 5_000);
  }

  #keep(direction: "<" | ">", bytes: Uint8Array): void {
    const parsed = parseMessage(bytes);
    if (!parsed.ok) return this.violate(`${direction} ${parsed.error.text}`);
    const message = parsed.value;
    const what = message.kind === "request"
      ? message.method
      : `${message.status} ${message.cseq.method}`;
    this.ladder.push(`${direction} ${what}`);
    if (direction === ">") this.sent.push(message);
    const text = new TextDecoder().decode(bytes);
    if (direction === ">" && /x-pz|a=msid|a=ice|fingerprint|UDP\/TLS/.test(text)) {
      this.violate(`the server was told ${JSON.stringify(text)}`);
    }
  }

  #carry(deliver: () => void): void {
    const faults = this.#wire;
    if (!faults) return this.clock.defer(deliver);
    const copies = this.chance.fraction() < faults.duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.chance.fraction() < faults.loss) continue;
      this.clock.setTimeout(deliver, 1 + this.chance.below(faults.delayMs));
    }
  }
}

function placeFlow(address: string): Flow {
  return {
    id: `udp/${address}` as FlowId,
    transport: "UDP",
    remote: hostPort(address, PBX.port),
    peer: { address, port: PBX.port },
  };
}

function pbxPolicy(users: Readonly<Record<string, string>>): ProxyPolicy {
  const owner = new Map(Object.entries(users).map(([user, authName]) => [authName, user]));
  return {
    isOurs: (host) => host === PBX.host || host === PBX.address,
    canonicalDomain: PBX.host,
    authorize: () => ({ kind: "challenge", realm: PBX.host, username: null }),
    account: (authName) => {
      const user = owner.get(authName);
      return user === undefined
        ? undefined
        : { user, digests: accountDigests(authName, PBX.host, PASSWORD) };
    },
    hasAccount: (user) => Object.hasOwn(users, user),
  };
}
