import { SeededEntropy } from "../../src/core/entropy.ts";
import {
  AES_CM_128_HMAC_SHA1_80,
  type MediaEvent,
  type PayloadKind,
  type SocketAddress,
} from "../../src/rtp/contract.ts";
import { AddressNames } from "../../src/rtp/engine/address_names.ts";
import { type EngineCommand, MediaEngine } from "../../src/rtp/engine/engine.ts";
import { type MediaShell, SCRATCH_LENGTH } from "../../src/rtp/engine/shell.ts";
import type { StatisticsRows } from "../../src/rtp/engine/statistics_rows.ts";
import { StateMemory } from "../../src/rtp/engine/state_memory.ts";
import { ATTRIBUTE, BINDING_REQUEST, readStun, StunWriter } from "../../src/rtp/ice/stun.ts";
import { AesCmCipher, typescriptSrtp } from "../../src/rtp/srtp/aes_cm.ts";
import type { SrtpEngine } from "../../src/rtp/srtp/cipher.ts";
import { SrtpReceiver, SrtpSender } from "../../src/rtp/srtp/context.ts";
import { HmacSha1 } from "../../src/rtp/srtp/hmac_sha1.ts";

/** A datagram of the simulated network. */
export interface Datagram {
  readonly socket: number;
  readonly address: number;
  readonly port: number;
  readonly data: Uint8Array;
}

export const PAYLOADS: readonly PayloadKind[] = [
  { payloadType: 111, kind: "audio", codec: "opus", clockRate: 48000 },
  { payloadType: 96, kind: "video", codec: "VP8", clockRate: 90000 },
  { payloadType: 97, kind: "video", codec: "rtx", clockRate: 90000 },
];

const SLOT = 2048;

/** The real engine under a shell that only remembers. Time is what `now` says. */
export class EngineHarness implements MediaShell {
  readonly engine: MediaEngine;
  readonly arena = new Uint8Array(SCRATCH_LENGTH + SLOT);
  readonly events: MediaEvent[] = [];
  readonly openSockets = new Set<number>([0]);
  sent: Datagram[] = [];
  now = 0;
  #nextSocket = 1;
  readonly #names = new AddressNames(1);
  readonly #commands: EngineCommand[] = [];
  readonly state: StateMemory;

  /** @param memory of the engine that this one takes the place of, as `state.words.buffer` */
  constructor(
    readonly silentAfterMs = 30_000,
    memory: ArrayBufferLike | StateMemory = new SharedArrayBuffer(StateMemory.bytes(1000)),
    readonly srtp: SrtpEngine = typescriptSrtp,
  ) {
    this.state = memory instanceof StateMemory ? memory : new StateMemory(memory);
    this.engine = new MediaEngine({
      state: this.state,
      shell: this,
      srtp: this.srtp,
      arena: this.arena,
      scratch: 0,
      silentAfterMs,
      epochOffset: 1_700_000_000_000,
    });
  }

  send(socket: number, address: number, port: number, offset: number, length: number): void {
    this.sent.push({ socket, address, port, data: this.arena.slice(offset, offset + length) });
  }

  openPlainSocket(): { socket: number; local: SocketAddress } {
    const socket = this.#nextSocket++;
    this.openSockets.add(socket);
    return { socket, local: { address: "127.0.0.1", port: 30_000 + socket } };
  }

  openPortPair(address: string): { rtp: number; rtcp: number; local: SocketAddress } {
    const rtp = this.#nextSocket++;
    const rtcp = this.#nextSocket++;
    this.openSockets.add(rtp);
    this.openSockets.add(rtcp);
    return { rtp, rtcp, local: { address, port: 30_000 + 2 * rtp } };
  }

  numberOf(address: string): number {
    return this.#names.numberOf(address);
  }

  textOf(address: number): string {
    return this.#names.textOf(address);
  }

  closeSocket(socket: number): void {
    this.openSockets.delete(socket);
  }

  emit(event: MediaEvent): void {
    this.events.push(event);
  }

  emitStatistics(rows: StatisticsRows): void {
    this.emit(rows.event());
  }

  /**
   * The engine of another worker that takes this one's place: it gets the memory, and is told anew
   * what this one was told, as the pool does.
   */
  successor(memory: ArrayBufferLike | StateMemory = this.state.words.buffer): EngineHarness {
    const next = new EngineHarness(this.silentAfterMs, memory, this.srtp);
    next.now = this.now;
    const isOpen = (command: EngineCommand) => command.type === "open";
    const said = this.#commands.filter((command) =>
      [
        "open",
        "ice-restart",
        "set-remote",
        "set-remote-rtp",
        "keys",
        "set-flowing",
        "connect",
      ].includes(command.type)
    );
    for (const command of said.filter(isOpen)) next.command(command);
    for (const command of said) {
      if (!isOpen(command) && !this.#isOutdated(command)) next.command(command);
    }
    next.command({ type: "adopt" });
    return next;
  }

  /** Of descriptions of a SIP leg the pool knows the last alone. */
  #isOutdated(command: EngineCommand): boolean {
    return command.type === "set-remote-rtp" &&
      command !==
        this.#commands.findLast((other) =>
          other.type === command.type && other.endpoint === command.endpoint
        );
  }

  command(command: EngineCommand): void {
    this.#commands.push(command);
    this.engine.command(command, this.now);
  }

  /** Gives the engine a datagram and takes what it sends because of it. */
  receive(socket: number, address: number, port: number, data: Uint8Array): Datagram[] {
    this.sent = [];
    this.arena.set(data, SCRATCH_LENGTH);
    this.engine.datagram(socket, address, port, SCRATCH_LENGTH, data.length, this.now);
    return this.sent;
  }

  /** Moves time on, waking the engine whenever it has asked for it. */
  advance(ms: number): Datagram[] {
    this.sent = [];
    const end = this.now + ms;
    for (;;) {
      const deadline = this.engine.deadline();
      if (deadline === undefined || deadline.at > end) break;
      this.now = Math.max(this.now, deadline.at);
      this.engine.wake(this.now);
    }
    this.now = end;
    return this.sent;
  }

  of<T extends MediaEvent["type"]>(type: T): Extract<MediaEvent, { type: T }>[] {
    return this.events.filter((event) => event.type === type) as Extract<
      MediaEvent,
      { type: T }
    >[];
  }
}

/** A browser's transport made of our own STUN and SRTP: checks, sends, and opens what comes. */
export class FakeBrowser {
  readonly address: number;
  readonly port: number;
  readonly ufrag: string;
  readonly pwd: string;
  readonly #key: HmacSha1;
  readonly #sender: SrtpSender;
  readonly #receiver: SrtpReceiver;
  readonly #keys: readonly Uint8Array[];
  readonly #entropy: SeededEntropy;
  #transaction = 0;

  constructor(public harness: EngineHarness, readonly id: number, readonly socket = 0) {
    this.#entropy = new SeededEntropy(1000 + id);
    this.address = 0x0a000000 + id;
    this.port = 50_000 + id;
    this.ufrag = `local${id}`;
    this.pwd = `password-of-endpoint-${id}`;
    this.#key = new HmacSha1(new TextEncoder().encode(this.pwd));
    const bytes = (length: number) => this.#entropy.bytes(length);
    const [localKey, localSalt, remoteKey, remoteSalt] = [
      bytes(16),
      bytes(14),
      bytes(16),
      bytes(14),
    ];
    this.#keys = [localKey, localSalt, remoteKey, remoteSalt];
    this.#receiver = new SrtpReceiver(new AesCmCipher(localKey, localSalt));
    this.#sender = new SrtpSender(new AesCmCipher(remoteKey, remoteSalt));
  }

  open(): void {
    const { id, ufrag, pwd } = this;
    this.harness.command({
      type: "open",
      endpoint: id,
      kind: "webrtc",
      iceUfrag: ufrag,
      icePwd: pwd,
    });
    this.harness.command({ type: "set-remote", endpoint: id, payloads: PAYLOADS });
  }

  giveKeys(): void {
    const [localKey, localSalt, remoteKey, remoteSalt] = this.#keys;
    this.harness.command({
      type: "keys",
      endpoint: this.id,
      keys: {
        profile: AES_CM_128_HMAC_SHA1_80,
        localKey: localKey!,
        localSalt: localSalt!,
        remoteKey: remoteKey!,
        remoteSalt: remoteSalt!,
      },
    });
  }

  /** A Binding request as a browser sends it. */
  request(options: { nominate?: boolean; key?: HmacSha1; ufrag?: string; extra?: number } = {}) {
    const buffer = new Uint8Array(512);
    const transaction = new Uint8Array(12);
    transaction[0] = this.id;
    transaction[11] = this.#transaction++;
    const writer = new StunWriter(buffer, 0, BINDING_REQUEST, transaction, 0);
    const username = `${options.ufrag ?? this.ufrag}:remote`;
    writer.attribute(ATTRIBUTE.username, new TextEncoder().encode(username));
    writer.attribute(ATTRIBUTE.priority, Uint8Array.of(110, 0, 1, 255));
    writer.attribute(ATTRIBUTE.iceControlling, new Uint8Array(8));
    if (options.nominate ?? true) writer.attribute(ATTRIBUTE.useCandidate, new Uint8Array(0));
    if (options.extra !== undefined) writer.attribute(options.extra, new Uint8Array(4));
    const length = writer.seal(options.key ?? this.#key);
    return buffer.slice(0, length);
  }

  /** Sends a check; gives the answer's type, or undefined where none came. */
  check(options: Parameters<FakeBrowser["request"]>[0] = {}): number | undefined {
    const [answer] = this.send(this.request(options));
    return answer && readStun(answer.data, 0, answer.data.length)?.type;
  }

  send(data: Uint8Array): Datagram[] {
    return this.harness.receive(this.socket, this.address, this.port, data);
  }

  /** ICE, keys: all that a leg needs. */
  up(): void {
    this.open();
    this.check();
    this.giveKeys();
  }

  /** `transportWide` puts that number into a header extension of id 5. */
  rtp(
    options: {
      ssrc: number;
      sequence: number;
      payloadType?: number;
      marker?: number;
      transportWide?: number;
    },
  ) {
    const { ssrc, sequence, payloadType = 111, transportWide } = options;
    const packet = new Uint8Array(200);
    packet.set([0x80, payloadType, sequence >>> 8, sequence]);
    new DataView(packet.buffer).setUint32(4, sequence * 960);
    new DataView(packet.buffer).setUint32(8, ssrc);
    packet[12] = options.marker ?? 7;
    if (transportWide !== undefined) {
      packet[0] = 0x90;
      packet.set([0xbe, 0xde, 0, 1, 0x51, transportWide >>> 8, transportWide, 0], 12);
    }
    return packet.slice(0, this.#sender.protectRtp(packet, 0, 172));
  }

  rtcp(plain: Uint8Array): Uint8Array {
    const packet = new Uint8Array(plain.length + 20);
    packet.set(plain);
    return packet.slice(0, this.#sender.protectRtcp(packet, 0, plain.length));
  }

  /** The plain packets among these datagrams that were meant for this browser; others throw. */
  plain(datagrams: readonly Datagram[]): Uint8Array[] {
    return datagrams.map(({ address, port, data }) => {
      if (address !== this.address || port !== this.port) throw new Error("sent to another place");
      const isRtcp = data[1]! >= 192 && data[1]! < 224;
      const copy = data.slice();
      const length = isRtcp
        ? this.#receiver.unprotectRtcp(copy, 0, copy.length)
        : this.#receiver.unprotectRtp(copy, 0, copy.length);
      if (length < 0) throw new Error("not protected with the keys of this browser, or twice");
      return copy.slice(0, length);
    });
  }
}

/** Two browsers that are up and joined both ways. */
export function joinedPair(harness: EngineHarness): [FakeBrowser, FakeBrowser] {
  const [a, b] = [new FakeBrowser(harness, 1), new FakeBrowser(harness, 2)];
  a.up();
  b.up();
  harness.command({ type: "connect", endpoint: 1, peer: 2 });
  harness.command({ type: "connect", endpoint: 2, peer: 1 });
  return [a, b];
}
