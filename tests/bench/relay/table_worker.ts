import type {
  PayloadKind,
  RtpPayload,
  SocketAddress,
  SrtpKeys,
} from "../../../src/rtp/contract.ts";
import { StateMemory } from "../../../src/rtp/engine/state_memory.ts";
import type { StatisticsRows } from "../../../src/rtp/engine/statistics_rows.ts";
import { choose } from "../../../src/rtp/io/ffi/choose.ts";
import { Descriptors } from "../../../src/rtp/io/ffi/descriptors.ts";
import { FfiShell, type FfiShellParts } from "../../../src/rtp/io/ffi/ffi_shell.ts";
import type { Attachment } from "../../../src/rtp/io/ffi/link.ts";
import { Ipv6Names } from "../../../src/rtp/io/ffi/ipv6_names.ts";
import { Ring } from "../../../src/rtp/io/ffi/ring.ts";
import { SHARED_BUFFER } from "../../../src/rtp/io/ffi/sockets.ts";
import { Wire } from "../../../src/rtp/io/ffi/wire.ts";
import { checkOf } from "./greeting.ts";
import { readTable, type TableLeg } from "./table.ts";

/**
 * A media worker of the product (fast shell, engine, SRTP as chosen at start) on the ports of a
 * call table. A leg with a port of its own is a SIP leg, by SDES where it has keys; legs with keys
 * that share a port are browsers'. Their generator sends no ICE checks, so those are handed to the
 * engine here, as if received. Legs without keys that share a port are nothing that the product
 * has: such a table is relayed by endpoints that pass RTP on and say nothing themselves.
 */

const LOOPBACK = 0x7f000001;
/** RFC 7675 5.1. */
const CHECK_EVERY = 5000;
/** The shell looks at the clock more often than this, unless the process stands still, ms. */
const STANDSTILL = 1000;
const PASSWORD = "the-password-of-every-leg";
const PAYLOADS: readonly PayloadKind[] = [
  { payloadType: 0, kind: "audio", codec: "PCMU", clockRate: 8000 },
  { payloadType: 96, kind: "video", codec: "VP8", clockRate: 90_000 },
];
/**
 * Of a SIP leg. For the first codec we know no silence to send while nobody speaks: a generator
 * that comes late finds its sequence numbers as it has left them.
 */
const PHONE_PAYLOADS: readonly RtpPayload[] = ([[18, "G729"], [0, "PCMU"]] as const).map(
  ([payloadType, codec]) => {
    const peerPayloadType = payloadType;
    return { payloadType, peerPayloadType, kind: "audio", codec, clockRate: 8000 };
  },
);

class TableShell extends FfiShell {
  readonly #legs: readonly TableLeg[];
  readonly #shared: readonly number[];
  readonly #packet: number;
  readonly #sockets: number[] = [];
  readonly #checks: Uint8Array[] = [];
  #opening = 0;
  #isMuted = false;
  /** The next leg to be checked, and when. */
  #checkNext = 0;
  #checkAt = 0;
  /** When the clock was last looked at, and for how long the process has stood still before. */
  #lookedAt = 0;
  #stoodStill = 0;

  constructor(
    start: ConstructorParameters<typeof FfiShell>[0],
    parts: FfiShellParts,
    why: string,
    legs: readonly TableLeg[],
    shared: readonly number[],
  ) {
    super(start, parts, why);
    this.#legs = legs;
    this.#shared = shared;
    this.#packet = this.arena.allocate(512);
    legs.forEach((_, i) => this.#open(i));
    legs.forEach((_, i) => {
      this.engine.command({ type: "connect", endpoint: i + 1, peer: (i ^ 1) + 1 }, this.#now());
    });
    this.#check(legs.length);
    this.#checkAt = this.#now() + CHECK_EVERY / legs.length;
  }

  #now(): number {
    return this.now();
  }

  /**
   * Time stands still with the process (SIGSTOP): a bench that lets relays take turns is no far end
   * that has gone.
   */
  protected override now(): number {
    const now = super.now();
    if (this.#lookedAt !== 0 && now - this.#lookedAt > STANDSTILL) {
      this.#stoodStill += now - this.#lookedAt;
    }
    this.#lookedAt = now;
    return now - this.#stoodStill;
  }

  #open(index: number): void {
    const { keys, peerPort, isShared } = this.#legs[index]!;
    const endpoint = index + 1;
    const now = this.#now();
    this.#opening = index;
    if (!isShared) {
      this.#openPhone(endpoint, keys, peerPort);
      return;
    }
    if (keys === null) {
      this.engine.command({ type: "open", endpoint, kind: "plain" }, now);
      const remote = { address: "127.0.0.1", port: peerPort };
      this.engine.command({ type: "set-remote", endpoint, payloads: PAYLOADS, remote }, now);
      return;
    }
    this.#sockets[index] = this.#socketOf(index);
    const ice = { iceUfrag: `leg${index}`, icePwd: PASSWORD };
    this.engine.command({ type: "open", endpoint, kind: "webrtc", ...ice }, now);
    this.engine.command({ type: "set-remote", endpoint, payloads: PAYLOADS }, now);
    this.engine.command({ type: "keys", endpoint, keys }, now);
  }

  #openPhone(endpoint: number, keys: SrtpKeys | null, port: number): void {
    const [address, now] = ["127.0.0.1", this.#now()];
    const seed = Math.imul(endpoint, 0x9e3779b1);
    this.engine.command(
      { type: "open", endpoint, kind: "rtp", address, media: ["audio"], seed },
      now,
    );
    const section = { rtp: { address, port }, rtcpPort: null, keys, hasFeedback: false };
    const sections = [{ ...section, payloads: PHONE_PAYLOADS }];
    this.engine.command({ type: "set-remote-rtp", endpoint, sections }, now);
  }

  #socketOf(index: number): number {
    const { relayPort, isShared } = this.#legs[index]!;
    if (isShared) return this.#shared.indexOf(relayPort);
    const opened = this.openLegSocket("127.0.0.1", relayPort);
    if ("error" in opened) throw new Error(opened.error);
    return opened.socket;
  }

  override openPlainSocket(): { socket: number; local: SocketAddress } {
    const port = this.#legs[this.#opening]!.relayPort;
    return { socket: this.#socketOf(this.#opening), local: { address: "127.0.0.1", port } };
  }

  /** RTCP comes on the same port: a table has but one a leg. */
  override openPortPair(): { rtp: number; rtcp: number; local: SocketAddress } {
    const { socket, local } = this.openPlainSocket();
    return { rtp: socket, rtcp: socket, local };
  }

  override send(...datagram: Parameters<FfiShell["send"]>): void {
    if (!this.#isMuted) super.send(...datagram);
  }

  override emitStatistics(rows: StatisticsRows): void {
    super.emitStatistics(rows);
    // Told in the engine's turns: as good a time as any. Browsers do not check all at once.
    const each = CHECK_EVERY / this.#legs.length;
    const due = Math.floor((this.#now() - this.#checkAt) / each);
    if (due <= 0) return;
    this.#check(Math.min(due, this.#legs.length));
    this.#checkAt += due * each;
  }

  /** The next ones in turn. */
  #check(count: number): void {
    const now = this.#now();
    this.#isMuted = true;
    for (let i = 0; i < count; i++) {
      this.#checkOne(this.#checkNext, now);
      this.#checkNext = (this.#checkNext + 1) % this.#legs.length;
    }
    this.#isMuted = false;
  }

  #checkOne(index: number, now: number): void {
    const { keys, peerPort, isShared } = this.#legs[index]!;
    if (keys === null || !isShared) return;
    // Made once: what a check costs here is not to be the generator's part of it.
    const check = this.#checks[index] ??= checkOf({
      iceUfrag: `leg${index}`,
      icePwd: PASSWORD,
    }).slice();
    const at = this.#packet;
    this.arena.bytes.set(check, at);
    this.engine.datagram(this.#sockets[index]!, LOOPBACK, peerPort, at, check.length, now);
  }
}

/** What the process around it sends first. */
export interface TableStart {
  readonly attachment: Attachment;
  readonly table: string;
}

function serve({ attachment, table }: TableStart): void {
  const choice = choose(null);
  if (choice.shell !== "ffi") throw new Error(choice.why);
  const legs = readTable(table);
  const shared = [...new Set(legs.filter((leg) => leg.isShared).map((leg) => leg.relayPort))];
  const descriptors = new Descriptors(attachment.descriptors);
  const parts: FfiShellParts = {
    libc: choice.libc,
    arena: choice.arena,
    srtp: choice.srtp,
    descriptors,
    commands: new Ring(attachment.commands),
    events: new Ring(attachment.events),
    wire: new Wire(),
    eventDescriptor: attachment.eventDescriptor,
    state: new StateMemory(attachment.state),
    names: new Ipv6Names(attachment.names),
    bind: (sockets) => shared.map((port) => sockets.open("127.0.0.1", port, SHARED_BUFFER)),
  };
  descriptors.begin();
  try {
    const start = {
      type: "start",
      addresses: [],
      portRange: [1024, 65535],
      firstPair: 1024,
      epochOffset: Date.now() - performance.now(),
      silentAfterMs: 30_000,
      allowCrash: false,
    } as const;
    new TableShell(start, parts, choice.why, legs, shared).run();
  } finally {
    descriptors.closeAll(choice.libc);
    descriptors.end();
  }
}

const scope = globalThis as unknown as {
  onmessage: ((message: MessageEvent<TableStart>) => void) | null;
};
scope.onmessage = ({ data }) => serve(data);
