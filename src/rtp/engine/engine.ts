import type { Instant } from "../../core/clock.ts";
import type { Deadline } from "../../core/sans_io.ts";
import type { MediaCommand } from "../contract.ts";
import type { SrtpEngine } from "../srtp/cipher.ts";
import { MAX_SRTP_OVERHEAD } from "../srtp/cipher.ts";
import { contextPlace, SrtpReceiver, SrtpSender } from "../srtp/context.ts";
import { HmacSha1 } from "../srtp/hmac_sha1.ts";
import { AddressTable, parseIpv4 } from "./address_table.ts";
import { isStrayOnceUp } from "../dtls/stray_filter.ts";
import { dscpOf } from "./dscp.ts";
import { Endpoint } from "./endpoint.ts";
import { Forwarder } from "./forwarder.ts";
import { IceLite } from "./ice_lite.ts";
import { OutStreams } from "./out_streams.ts";
import { tableOf } from "./payload_tables.ts";
import { RtpLegs } from "./rtp_legs.ts";
import { type MediaShell, SCRATCH_LENGTH } from "./shell.ts";
import { Role, StateMemory } from "./state_memory.ts";
import { StatisticsRows } from "./statistics_rows.ts";
import { TickWheel } from "./tick_wheel.ts";
import { TurnFaults } from "./turn_faults.ts";

/** How often consent, silence and statistics of an endpoint are looked after, ms. */
const TICK = 1000;
/** Blocks of state of an engine that is given no memory for it: some thousand calls. */
const STATE_BLOCKS = 65_535;
/** DTLS datagrams of one endpoint passed on in a tick; a handshake takes about ten. */
const MAX_DTLS_PER_TICK = 100;

export interface MediaEngineOptions {
  readonly shell: MediaShell;
  readonly srtp: SrtpEngine;
  /**
   * All packets lie here: the shell's receive slots, and `SCRATCH_LENGTH` bytes of the engine's.
   */
  readonly arena: Uint8Array;
  readonly scratch: number;
  /** `silent` is told after this long without a packet, ms. */
  readonly silentAfterMs: number;
  /** Wall clock less the clock of `now`, ms: sender reports of ours carry the time of day. */
  readonly epochOffset: number;
  /** Whether packets are marked, where the shell can; default true. */
  readonly dscp?: boolean;
  /** What a worker before this one has learned, or nothing yet; absent: nobody goes on with it. */
  readonly state?: StateMemory;
}

/** Commands that reach the engine; the others are the shell's own. */
export type EngineCommand = Exclude<MediaCommand, { type: "start" | "crash" | "shutdown" }>;

/**
 * The media engine of one worker: demultiplexes, answers ICE checks, opens and closes SRTP,
 * forwards, counts. It reads no clock and waits for nothing; the same code runs under every shell.
 * Datagrams are handed over where they lie, so that a packet costs no allocation.
 */
export class MediaEngine {
  readonly #shell: MediaShell;
  readonly #srtp: SrtpEngine;
  readonly #arena: Uint8Array;
  readonly #scratch: number;
  readonly #silentAfterMs: number;
  readonly #state: StateMemory;
  readonly #table = new AddressTable();
  readonly #endpoints = new Map<number, Endpoint>();
  readonly #ice: IceLite;
  readonly #forwarder: Forwarder;
  readonly #legs: RtpLegs;
  readonly #ticks = new TickWheel<Endpoint>(TICK);
  /** Least `keyFrameDue` of all endpoints. */
  #keyFrameDue: Instant = Infinity;
  #strays = 0;
  readonly #rows = new StatisticsRows();
  #tickAt: Instant = 0;
  readonly #faults = new TurnFaults();

  constructor(options: MediaEngineOptions) {
    const { arena, scratch, shell } = options;
    if (scratch + SCRATCH_LENGTH > arena.length) {
      throw new Error(`arena of ${arena.length} bytes has no room for scratch at ${scratch}`);
    }
    this.#shell = shell;
    this.#srtp = options.srtp;
    this.#arena = arena;
    this.#scratch = scratch;
    this.#silentAfterMs = options.silentAfterMs;
    this.#state = options.state ?? StateMemory.own(STATE_BLOCKS);
    this.#ice = new IceLite(arena, scratch, shell, this.#table, this.#endpoints);
    this.#forwarder = new Forwarder(
      arena,
      scratch,
      shell,
      options.epochOffset,
      dscpOf(options.dscp ?? true),
    );
    this.#legs = new RtpLegs(arena, scratch, shell, options.srtp, this.#forwarder, this.#state);
  }

  /** Endpoints, learned places and sockets being drained; zero when all is closed and over. */
  get size(): { readonly endpoints: number; readonly places: number; readonly drained: number } {
    return {
      endpoints: this.#endpoints.size,
      places: this.#table.size,
      drained: this.#legs.drained,
    };
  }

  /**
   * One datagram at `offset` of the arena, with `MAX_SRTP_OVERHEAD` bytes of room behind it.
   * Never throws, whatever it holds.
   */
  datagram(
    socket: number,
    address: number,
    port: number,
    offset: number,
    length: number,
    now: Instant,
  ): void {
    if (length < 1) return;
    if (this.#legs.owns(socket)) {
      const leg = this.#legs.datagram(socket, address | 0, port, offset, length, now);
      if (leg === null) this.#strays++;
      else this.#noteKeyFrame(leg);
      return;
    }
    const first = this.#arena[offset]!;
    if (first < 4) {
      const changed = this.#ice.receive(socket, address | 0, port, offset, length, now);
      if (changed === undefined) this.#strays++;
      else if (changed !== null) this.#forwarder.refresh(changed, now);
      return;
    }
    const id = this.#table.get(socket, address, port);
    const endpoint = id < 0 ? undefined : this.#endpoints.get(id);
    if (endpoint === undefined) {
      this.#strays++;
    } else if (first >= 128 && first < 192 && length >= 8) {
      // RFC 5761 4: what would be payload types 64 to 95 with the marker is RTCP.
      const type = this.#arena[offset + 1]!;
      if (type >= 192 && type < 224) this.#forwarder.rtcp(endpoint, offset, length, now);
      else this.#forwarder.rtp(endpoint, offset, length, now);
      if (endpoint.keyFrameDue < this.#keyFrameDue) this.#keyFrameDue = endpoint.keyFrameDue;
    } else if (first >= 20 && first < 64 && endpoint.kind === "webrtc") {
      this.#dtls(endpoint, offset, length);
    } else endpoint.dropped++;
  }

  #dtls(endpoint: Endpoint, offset: number, length: number): void {
    const stray = endpoint.open && isStrayOnceUp(this.#arena, offset, length);
    if (stray || endpoint.dtlsSinceTick >= MAX_DTLS_PER_TICK) {
      endpoint.dropped++;
      return;
    }
    endpoint.dtlsSinceTick++;
    const data = this.#arena.slice(offset, offset + length);
    this.#shell.emit({ type: "dtls-receive", endpoint: endpoint.id, data });
  }

  /** A command of the pool. One that names a closed endpoint is late, and ignored. */
  command(command: EngineCommand, now: Instant): void {
    if (command.type === "open") {
      this.#open(command, now);
      return;
    }
    if (command.type === "adopt") {
      this.#state.sweep();
      this.#shell.emit({ type: "adopted" });
      return;
    }
    const endpoint = this.#endpoints.get(command.endpoint);
    if (endpoint === undefined) return;
    switch (command.type) {
      case "set-remote":
        this.#setRemote(endpoint, command);
        break;
      case "set-remote-rtp":
        this.#legs.setRemote(endpoint, command, now);
        // Before the answer nobody owed media.
        endpoint.heardLast = now;
        endpoint.silencesTold = 0;
        break;
      case "send-dtmf":
        this.#legs.sendDtmf(endpoint, command.digits, command.durationMs, now);
        return;
      case "keys":
        this.#setKeys(endpoint, command.keys, now);
        break;
      case "connect":
        this.#connect(endpoint, this.#endpoints.get(command.peer) ?? null, now);
        endpoint.reportedAt = now;
        break;
      case "set-flowing":
        endpoint.flowing = command.flowing;
        // A held side may well be silent; it starts over.
        endpoint.heardLast = now;
        endpoint.silencesTold = 0;
        break;
      case "dtls-send":
        this.#sendDtls(endpoint, command.data);
        return;
      case "ice-restart":
        this.#ice.restart(endpoint, command.iceUfrag, iceKeyOf(command.icePwd));
        return;
      case "key-frame":
        this.#forwarder.askKeyFrames(endpoint, now);
        break;
      case "close":
        this.#close(endpoint, now);
        return;
    }
    this.#forwarder.refresh(endpoint, now);
    this.#noteKeyFrame(endpoint);
  }

  #open(command: Extract<MediaCommand, { type: "open" }>, now: Instant): void {
    if (this.#state.isTorn(command.endpoint)) {
      this.#shell.emit({ type: "torn", endpoint: command.endpoint });
      return;
    }
    const endpoint = command.kind === "rtp"
      ? this.#legs.open(command, now)
      : this.#openOther(command, now);
    if (endpoint === null) return;
    this.#endpoints.set(endpoint.id, endpoint);
    this.#ticks.add(endpoint, now);
  }

  #openOther(
    command: Extract<MediaCommand, { type: "open"; kind: "webrtc" | "plain" }>,
    now: Instant,
  ): Endpoint | null {
    const id = command.endpoint;
    const isSingle = command.kind === "plain" && command.isSingle === true;
    const ssrc = Math.imul(id + 1, 0x9e3779b1);
    const endpoint = new Endpoint(id, this.#state, command.kind, ssrc, isSingle);
    endpoint.isHop = command.kind === "plain" && command.isHop === true;
    const { record } = endpoint;
    if (record.isAdopted) {
      record.restore(endpoint);
      const out = this.#outStreams(endpoint);
      if (out.streams.length > 0) endpoint.out = out;
    }
    endpoint.heardLast = now;
    if (command.kind === "webrtc") {
      if (record.isAdopted) this.#ice.resume(endpoint, now);
      endpoint.iceUfrag = command.iceUfrag;
      endpoint.iceKey = iceKeyOf(command.icePwd);
      this.#ice.add(endpoint);
      this.#shell.emit({ type: "opened", endpoint: id });
      return endpoint;
    }
    const opened = this.#shell.openPlainSocket(command.sockets ?? []);
    if ("error" in opened) {
      endpoint.out?.close();
      record.close();
      this.#shell.emit({ type: "open-failed", endpoint: id, text: opened.error });
      return null;
    }
    endpoint.socket = opened.socket;
    this.#shell.emit({ type: "opened", endpoint: id, local: opened.local });
    return endpoint;
  }

  #outStreams(endpoint: Endpoint): OutStreams {
    const { transportWide } = endpoint.record;
    return new OutStreams(false, { memory: this.#state, owner: endpoint.id, transportWide });
  }

  #setRemote(endpoint: Endpoint, command: Extract<MediaCommand, { type: "set-remote" }>): void {
    endpoint.payloads = tableOf(command.payloads);
    endpoint.transportWideId = command.transportWideId ?? 0;
    if (endpoint.kind !== "plain" || command.remote === undefined) return;
    const address = parseIpv4(command.remote.address);
    if (address < 0) return;
    for (const place of endpoint.places) {
      this.#table.delete(place.socket, place.address, place.port);
    }
    endpoint.address = address | 0;
    endpoint.port = command.remote.port;
    endpoint.places = [{ socket: endpoint.socket, address: endpoint.address, port: endpoint.port }];
    this.#table.set(endpoint.socket, endpoint.address, endpoint.port, endpoint.id);
    // Nothing is negotiated on a plain hop: it is open and connected as soon as both ends are
    // known.
    endpoint.open = true;
    endpoint.iceState = "connected";
  }

  #setKeys(
    endpoint: Endpoint,
    keys: Extract<MediaCommand, { type: "keys" }>["keys"],
    now: Instant,
  ): void {
    // A second set would start the rollover counters anew.
    if (endpoint.open || endpoint.kind !== "webrtc") return;
    const { profile, localKey, localSalt, remoteKey, remoteSalt } = keys;
    const place = { memory: this.#state, owner: endpoint.id };
    endpoint.sender = new SrtpSender(
      this.#srtp.cipher(profile, localKey, localSalt),
      contextPlace(place, Role.send, localKey, localSalt),
    );
    endpoint.receiver = new SrtpReceiver(
      this.#srtp.cipher(profile, remoteKey, remoteSalt),
      contextPlace(place, Role.receive, remoteKey, remoteSalt),
    );
    endpoint.open = true;
    endpoint.heardLast = now;
  }

  #connect(endpoint: Endpoint, peer: Endpoint | null, now: Instant): void {
    const before = endpoint.peer;
    before?.sources.delete(endpoint);
    endpoint.peer = peer;
    endpoint.pathOpen = false;
    peer?.sources.add(endpoint);
    if (before !== null) this.#choose(before, now);
    this.#choose(endpoint, now);
    if (peer !== null) this.#choose(peer, now);
  }

  /**
   * Whom an endpoint hears: the one that it has been joined to itself, else the one that was joined
   * to it last. A far end that has been changed goes on hearing the same streams.
   */
  #choose(endpoint: Endpoint, now: Instant): void {
    const { peer, sources } = endpoint;
    const chosen = peer !== null && sources.has(peer) ? peer : [...sources].at(-1) ?? null;
    const before = endpoint.source;
    if (chosen === before) return;
    endpoint.source = chosen;
    if (before !== null) this.#leave(before, endpoint);
    if (chosen?.isSingle || chosen?.isHop) endpoint.out ??= this.#outStreams(endpoint);
    this.#forwarder.refresh(endpoint, now);
  }

  /** What the far end of `to` has heard of `source` so far is gone on with by the next one. */
  #leave(source: Endpoint, to: Endpoint): void {
    if (to.out === null) {
      if (source.receive.streams.length === 0) return;
      to.out = this.#outStreams(to);
      for (const stream of source.receive.streams) to.out.adopt(source, stream);
    }
    to.out.detach(source);
  }

  #sendDtls(endpoint: Endpoint, data: Uint8Array): void {
    if (endpoint.socket < 0 || data.length > SCRATCH_LENGTH) return;
    this.#arena.set(data, this.#scratch);
    const { socket, address, port } = endpoint;
    this.#shell.send(socket, address, port, this.#scratch, data.length);
  }

  #close(endpoint: Endpoint, now: Instant): void {
    this.#endpoints.delete(endpoint.id);
    this.#ticks.delete(endpoint);
    this.#connect(endpoint, null, now);
    for (const source of [...endpoint.sources]) {
      this.#connect(source, null, now);
      this.#forwarder.refresh(source, now);
    }
    this.#ice.remove(endpoint);
    if (this.#endpoints.size === 0) this.#keyFrameDue = Infinity;
    try {
      this.#legs.close(endpoint, now);
    } finally {
      // Whatever cannot be said in farewell, nothing of it stays behind.
      endpoint.receiver?.close();
      endpoint.sender?.close();
      endpoint.out?.close();
      endpoint.record.close();
      if (endpoint.kind === "plain") this.#shell.closeSocket(endpoint.socket);
    }
  }

  /** When `wake` is wanted next; the bare number of `deadline`, to be looked at for each packet. */
  get nextWake(): Instant {
    return Math.min(this.#ticks.next, this.#keyFrameDue, this.#legs.nextWake);
  }

  deadline(): Deadline | undefined {
    const at = this.nextWake;
    if (at === Infinity) return undefined;
    if (at === this.#ticks.next) return { at, reason: "tick" };
    const isKeyFrame = at === this.#keyFrameDue;
    return { at, reason: isKeyFrame ? "key frame put off by the rate limit" : "SIP leg" };
  }

  /**
   * Does what is due. Whatever goes wrong, it is not due any more.
   * @throws the first fault, when all the rest has been done
   */
  wake(now: Instant): void {
    if (now >= this.#keyFrameDue) this.#askPutOff(now);
    if (now >= this.#legs.nextWake) this.#legs.wake(now, this.#faults);
    const endpoints = this.#ticks.take(now);
    if (endpoints !== null) this.#tickAll(endpoints, now);
    this.#faults.throwFirst();
  }

  /** Key frames that were wanted too soon. */
  #askPutOff(now: Instant): void {
    this.#keyFrameDue = Infinity;
    for (const endpoint of this.#endpoints.values()) {
      try {
        if (now >= endpoint.keyFrameDue) this.#forwarder.askKeyFrames(endpoint, now);
      } catch (error) {
        this.#faults.note(error);
      }
      this.#noteKeyFrame(endpoint);
    }
  }

  #tickAll(endpoints: ReadonlySet<Endpoint>, now: Instant): void {
    this.#rows.begin(this.#forwarder.packets, this.#strays);
    this.#tickAt = now;
    // An iterator would leave an object for each endpoint.
    endpoints.forEach(this.#tick);
    this.#shell.emitStatistics(this.#rows);
  }

  readonly #tick = (endpoint: Endpoint): void => {
    try {
      this.#tickOne(endpoint, this.#tickAt);
    } catch (error) {
      this.#faults.note(error);
    }
  };

  #tickOne(endpoint: Endpoint, now: Instant): void {
    endpoint.dtlsSinceTick = 0;
    if (endpoint.kind === "plain") return;
    // Nobody checks a SIP leg's consent: whether it lives is told by its packets.
    if (endpoint.kind === "webrtc" && this.#ice.expire(endpoint, now)) {
      this.#forwarder.refresh(endpoint, now);
    }
    this.#noticeSilence(endpoint, now);
    this.#legs.tick(endpoint, now);
    this.#forwarder.own.originate(endpoint, now);
    const sum = endpoint.heard + endpoint.sendPackets + endpoint.dropped;
    if (sum === endpoint.reported) return;
    endpoint.reported = sum;
    endpoint.record.save(endpoint);
    this.#rows.add(endpoint);
  }

  #noteKeyFrame(endpoint: Endpoint): void {
    this.#keyFrameDue = Math.min(this.#keyFrameDue, endpoint.keyFrameDue);
  }

  #noticeSilence(endpoint: Endpoint, now: Instant): void {
    if (!endpoint.open) return;
    if (endpoint.heard !== endpoint.heardAtTick) {
      endpoint.heardAtTick = endpoint.heard;
      endpoint.heardLast = now;
      endpoint.silencesTold = 0;
      return;
    }
    const ms = now - endpoint.heardLast;
    if (ms < this.#silentAfterMs * (endpoint.silencesTold + 1)) return;
    endpoint.silencesTold++;
    this.#shell.emit({ type: "silent", endpoint: endpoint.id, ms });
  }
}

function iceKeyOf(password: string): HmacSha1 {
  return new HmacSha1(new TextEncoder().encode(password));
}

/** Room that a receive slot needs behind the longest datagram. */
export const SLOT_MARGIN = MAX_SRTP_OVERHEAD;
