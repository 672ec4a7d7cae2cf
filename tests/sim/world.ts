import {
  createPlane,
  type Plane,
  type PlaneOptions,
  type PlanePorts,
} from "../../src/actors/plane.ts";
import type { Hop, HopMessage } from "../../src/actors/sip_service.ts";
import { SeededEntropy } from "../../src/core/entropy.ts";
import type { Log } from "../../src/core/log.ts";
import { ManualClock } from "../../src/core/manual_clock.ts";
import { SimClient } from "./client.ts";
import { HEALTHY_MEDIA, SimMedia, type SimMediaFaults } from "./media.ts";

/** What a hop does to messages: shares of all, and the longest delay, ms. */
export interface HopFaults {
  readonly loss: number;
  readonly duplication: number;
  readonly delayMs: number;
}

export interface WorldOptions {
  readonly seed: number;
  /** Absent: the in-memory hop of production. */
  readonly hop?: HopFaults;
  readonly media?: SimMediaFaults;
  readonly trace?: (machine: string, state: string) => void;
  readonly accounts?: readonly { readonly name: string; readonly password: string }[];
  readonly plane?: Partial<PlaneOptions>;
  /** Further ports of the plane. */
  readonly ports?: (world: SimWorld) => Partial<PlanePorts>;
}

export const OPTIONS: PlaneOptions = {
  version: "0.0.0",
  call: {
    ringTimeoutMs: 60_000,
    setupTimeoutMs: 15_000,
    silenceTimeoutMs: 60_000,
    rejectStatus: 603,
  },
  session: {
    reachableMs: 30_000,
    pushReachableMs: 3_600_000,
    tokenMs: 3_600_000,
    registrationSeconds: 3_600,
    outsideAnswerMs: 4_700,
  },
  sip: {
    sentBy: "127.0.0.1:5060",
    canonicalDomain: "localhost",
    hosts: ["127.0.0.1"],
    localCalls: true,
    userAgent: "Port Zero",
    addContactId: true,
    timerSeconds: 1_800,
    keepAliveMs: 25_000,
    directPingMs: 60_000,
    outsideAllow: ["*"],
    accounts: [],
  },
};

/** A lossy network that calls itself UDP: messages are lost, doubled, delayed and so reordered. */
function lossyHop(clock: ManualClock, chance: SeededEntropy, faults: HopFaults): Hop {
  return {
    transport: "UDP",
    carry(deliver) {
      const copies = chance.fraction() < faults.duplication ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) {
        if (chance.fraction() < faults.loss) continue;
        clock.setTimeout(deliver, 1 + chance.below(faults.delayMs));
      }
    },
  };
}

/**
 * The whole control plane on a clock of its own: real actors, real SIP, clients and media by the
 * seed. What must never happen is collected in `violations`, with the seed, so that it replays.
 */
export class SimWorld {
  readonly clock = new ManualClock();
  readonly chance: SeededEntropy;
  readonly media: SimMedia;
  readonly plane: Plane;
  readonly clients: SimClient[] = [];
  readonly violations: string[] = [];
  readonly errors: string[] = [];
  readonly seed: number;
  calls = 0;
  /** How often something was seen: statuses and reasons of the clients' calls. */
  readonly seen = new Map<string, number>();
  readonly #invites = new InviteChecker((text) => this.violate(text));

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.chance = new SeededEntropy(options.seed);
    this.media = new SimMedia(this.clock, this.chance, options.media ?? HEALTHY_MEDIA);
    const sip = { ...OPTIONS.sip, accounts: options.accounts ?? [] };
    this.plane = createPlane({
      clock: this.clock,
      entropy: this.chance,
      log: this.#log(),
      media: this.media,
      workers: () => [],
      observe: (sent) => this.#invites.observe(sent, this.clock.now()),
      ...(options.hop ? { hop: lossyHop(this.clock, this.chance, options.hop) } : {}),
      ...(options.trace ? { trace: options.trace } : {}),
      ...options.ports?.(this),
    }, { ...OPTIONS, sip, ...options.plane });
  }

  client(login: string): SimClient {
    const client = new SimClient(this, login);
    this.clients.push(client);
    return client;
  }

  count(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1);
  }

  violate(text: string): void {
    this.violations.push(`seed ${this.seed}, t=${this.clock.now()} ms: ${text}`);
  }

  /** Ends everything, lets time run out, and says what is left over. */
  finish(): string[] {
    const stoppedAt = this.clock.now();
    this.plane.stop(() => {});
    this.clock.advance(200_000);
    this.#invites.finish(stoppedAt);
    for (const client of this.clients) {
      for (const call of client.live) {
        // A client that was cut off before is told nothing any more.
        if (client.handle) this.violate(`${client.login}: call ${call.id} never finished`);
      }
    }
    const left = {
      ...this.plane.counts(),
      endpoints: this.media.openEndpoints,
      timers: this.clock.pendingTimers,
    };
    for (const [what, count] of Object.entries(left)) {
      if (count !== 0) this.violate(`${count} ${what} left over`);
    }
    return this.violations;
  }

  #log(): Log {
    return {
      debug() {},
      info() {},
      warn() {},
      error: (text, fields) => void this.errors.push(`${text} ${fields?.["error"] ?? ""}`),
    };
  }
}

/** 64*T1 and a retransmission: beyond it a transaction has its end. */
const TRANSACTION_MS = 40_000;

/** Each INVITE gets exactly one final response: one refusal, or 2xx (several only from forks). */
class InviteChecker {
  readonly #violate: (text: string) => void;
  readonly #open = new Map<string, { finals: Set<string>; sentAt: number }>();

  constructor(violate: (text: string) => void) {
    this.#violate = violate;
  }

  observe({ flow, sender, message }: HopMessage, now: number): void {
    // What goes to a server of others is that server's to answer.
    if (message.cseq.method !== "INVITE" || flow.peer) return;
    // The branch names the client transaction; somebody who calls himself has two of them.
    const key = `${flow.id} ${message.callId} ${message.topVia.branch}`;
    if (message.kind === "request") {
      if (sender === "agent" && !this.#open.has(key)) {
        this.#open.set(key, { finals: new Set(), sentAt: now });
      }
      return;
    }
    const finals = sender === "proxy" && message.status >= 200
      ? this.#open.get(key)?.finals
      : undefined;
    if (!finals) return;
    finals.add(message.status < 300 ? "2xx" : String(message.status));
    if (finals.size > 1) this.#violate(`INVITE ${key} has finals ${[...finals].join(", ")}`);
  }

  /** An INVITE that was under way when its flow was closed is excused. */
  finish(stoppedAt: number): void {
    for (const [key, { finals, sentAt }] of this.#open) {
      if (finals.size > 0 || sentAt > stoppedAt - TRANSACTION_MS) continue;
      this.#violate(`INVITE ${key} never got a final response`);
    }
  }
}
