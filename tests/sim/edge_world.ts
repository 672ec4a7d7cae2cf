import type { WireSettings } from "../../src/actors/edge/contract.ts";
import { defaultSettings } from "../../src/actors/edge/contract.ts";
import { err } from "../../src/core/result.ts";
import type { Flow } from "../../src/sip/flow.ts";
import type { FlowId } from "../../src/core/ids.ts";
import { type PhoneOptions, SimPhone } from "./phone.ts";
import { type SimRtpFaults, SimRtpMedia } from "./rtp_media.ts";
import { type HopFaults, SimWorld } from "./world.ts";

export interface EdgeWorldOptions {
  readonly seed: number;
  /** What the wire does to messages of UDP phones. */
  readonly wire?: HopFaults;
  readonly rtp?: SimRtpFaults;
  readonly accounts: readonly string[];
  readonly settings?: (flow: Flow) => Partial<WireSettings>;
  readonly trace?: (machine: string, state: string) => void;
  /** Codecs that can be transcoded into each other; none where absent. */
  readonly codecs?: readonly string[];
}

/** Timer C of the proxy and the anchors' own patience are over by then. */
const QUIET_MS = 600_000;

/** Our whole control plane, browsers inside and phones on wires, by one clock and one seed. */
export class EdgeWorld extends SimWorld {
  readonly phones = new Map<FlowId, SimPhone>();
  readonly rtp: SimRtpMedia;
  readonly #wire: HopFaults | undefined;

  constructor(options: EdgeWorldOptions) {
    let toPhone: (flow: Flow, bytes: Uint8Array) => void = () => {};
    let made: SimRtpMedia | undefined;
    super({
      seed: options.seed,
      accounts: options.accounts.map((name) => ({ name, password: "1234" })),
      ...(options.trace ? { trace: options.trace } : {}),
      ports: ({ clock, chance }) => ({
        rtp: made = new SimRtpMedia(clock, chance, options.rtp),
        codecs: () =>
          (options.codecs ?? []).map((codec) => ({
            codec,
            available: true,
            library: null,
            why: null,
          })),
        wireSettings: (flow) => ({ ...defaultSettings(flow), ...options.settings?.(flow) }),
        wire: {
          send: (flow, bytes) => toPhone(flow, bytes),
          resolve: (_uri, done) => clock.defer(() => done(err("no network"))),
          connect: (_target, done) => clock.defer(() => done(err("no network"))),
        },
      }),
    });
    this.rtp = made!;
    this.#wire = options.wire;
    toPhone = (flow, bytes) => {
      const phone = this.phones.get(flow.id);
      if (phone) this.#carry(flow, () => phone.receive(bytes));
    };
  }

  phone(options: PhoneOptions): SimPhone {
    const phone = new SimPhone(this, options);
    this.phones.set(phone.flow.id, phone);
    phone.register();
    return phone;
  }

  toServer(phone: SimPhone, bytes: Uint8Array): void {
    const { flow } = phone;
    this.#carry(flow, () => this.plane.receiveWire({ type: "receive", flow, bytes }));
  }

  /** What a phone may never read. */
  checkWire(phone: SimPhone, text: string): void {
    if (/x-pz|a=mid|a=msid|extmap|a=ice|fingerprint|UDP\/TLS/.test(text)) {
      this.violate(`${phone.options.user} was told ${JSON.stringify(text)}`);
    }
  }

  /** Everybody hangs up; then nothing of a wire may be left, before any flow is closed. */
  override finish(): string[] {
    for (const phone of this.phones.values()) {
      phone.onIncoming = (call) => phone.reject(call);
      for (const call of phone.live) phone.hangup(call);
    }
    for (const client of this.clients) for (const call of client.live) client.hangup(call);
    this.clock.advance(QUIET_MS);
    for (const phone of this.phones.values()) {
      for (const call of phone.live) {
        this.violate(`${phone.options.user}: call ${call.callId} is still ${call.state}`);
      }
    }
    for (const [what, count] of Object.entries(this.plane.counts())) {
      if (what.startsWith("anchor") && count > 0) this.violate(`${count} ${what} left over`);
    }
    if (this.rtp.live.size > 0) this.violate(`${this.rtp.live.size} RTP endpoints left over`);
    for (const { flow } of this.phones.values()) {
      this.plane.receiveWire({ type: "flow-closed", flow: flow.id });
    }
    const violations = super.finish();
    for (const text of this.errors) this.violate(`logged: ${text}`);
    return violations;
  }

  #carry(flow: Flow, deliver: () => void): void {
    const faults = this.#wire;
    if (!faults || flow.transport !== "UDP") return this.clock.defer(deliver);
    const copies = this.chance.fraction() < faults.duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.chance.fraction() < faults.loss) continue;
      this.clock.setTimeout(deliver, 1 + this.chance.below(faults.delayMs));
    }
  }
}
