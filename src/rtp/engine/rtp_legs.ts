import type { Instant } from "../../core/clock.ts";
import type { MediaCommand } from "../contract.ts";
import { isCompound } from "../rtcp/rtcp.ts";
import type { SrtpEngine } from "../srtp/cipher.ts";
import { rtpHeaderLength } from "../srtp/context.ts";
import { int16, int32, putInt16, putInt32 } from "./bytes.ts";
import type { EventPacket } from "./dtmf_sender.ts";
import { Endpoint } from "./endpoint.ts";
import type { Forwarder } from "./forwarder.ts";
import { type OutStream, OutStreams } from "./out_streams.ts";
import { RtpLeg } from "./rtp_leg.ts";
import { RtpSection, Verdict } from "./rtp_section.ts";
import type { MediaShell } from "./shell.ts";
import { isMainCodec } from "./receive_statistics.ts";
import { silenceOf } from "./silence.ts";
import type { StateMemory } from "./state_memory.ts";
import type { TurnFaults } from "./turn_faults.ts";

/** A closed leg's ports swallow what still comes for this long, and are nobody else's, ms. */
export const DRAIN = 2000;
/** A leg that gets no audio is sent some silence this often, so that NATs keep its way open, ms. */
export const KEEP_ALIVE = 5000;

interface Place {
  readonly endpoint: Endpoint;
  readonly section: RtpSection;
}

interface Drained {
  readonly sockets: readonly number[];
  readonly until: Instant;
}

/** The SIP legs of one worker: ports, learned addresses, keys, telephone-events, keep-alive. */
export class RtpLegs {
  readonly #arena: Uint8Array;
  readonly #scratch: number;
  readonly #shell: MediaShell;
  readonly #srtp: SrtpEngine;
  readonly #forwarder: Forwarder;
  readonly #state: StateMemory;
  /** By socket number; null while drained. */
  readonly #sections: (Place | null | undefined)[] = [];
  readonly #drained: Drained[] = [];
  readonly #playing = new Set<RtpLeg>();

  constructor(
    arena: Uint8Array,
    scratch: number,
    shell: MediaShell,
    srtp: SrtpEngine,
    forwarder: Forwarder,
    state: StateMemory,
  ) {
    this.#state = state;
    this.#arena = arena;
    this.#scratch = scratch;
    this.#shell = shell;
    this.#srtp = srtp;
    this.#forwarder = forwarder;
  }

  /** Whether a socket is one of a SIP leg, open or drained. */
  owns(socket: number): boolean {
    return this.#sections[socket] !== undefined;
  }

  /** Sockets that are still drained. */
  get drained(): number {
    return this.#drained.reduce((sum, { sockets }) => sum + sockets.length, 0);
  }

  get nextWake(): Instant {
    let at = this.#drained.length > 0 ? this.#drained[0]!.until : Infinity;
    // Looked at for each packet: an iterator would be garbage.
    if (this.#playing.size === 0) return at;
    for (const { dtmf } of this.#playing) at = Math.min(at, dtmf.nextAt);
    return at;
  }

  /** Gives null, and tells it, where there are no ports. */
  open(
    command: Extract<MediaCommand, { type: "open"; kind: "rtp" }>,
    now: Instant,
  ): Endpoint | null {
    const { endpoint: id, address, media, seed, sockets = [] } = command;
    const sections: RtpSection[] = [];
    const local = [];
    const place = { memory: this.#state, owner: id };
    for (const [i, kind] of media.entries()) {
      const handed = sockets.slice(2 * i, 2 * i + 2);
      const pair = this.#shell.openPortPair(address, this.#forwarder.dscp[kind], handed);
      if ("error" in pair) {
        for (const section of sections) {
          section.close();
          this.#shell.closeSocket(section.rtpSocket);
          this.#shell.closeSocket(section.rtcpSocket);
        }
        this.#shell.emit({ type: "open-failed", endpoint: id, text: pair.error });
        return null;
      }
      sections.push(new RtpSection(kind, pair.rtp, pair.rtcp, place, i));
      local.push(pair.local);
    }
    const endpoint = new Endpoint(id, this.#state, "rtp", seed);
    const { record } = endpoint;
    if (record.isAdopted) record.restore(endpoint);
    endpoint.out = new OutStreams(true, { ...place, transportWide: record.transportWide });
    endpoint.leg = new RtpLeg(endpoint, sections, seed, (digit, durationMs) => {
      this.#shell.emit({ type: "dtmf", endpoint: id, digit, durationMs });
    });
    for (const section of sections) {
      this.#sections[section.rtpSocket] = { endpoint, section };
      this.#sections[section.rtcpSocket] = { endpoint, section };
    }
    endpoint.heardLast = endpoint.reportedAt = now;
    this.#shell.emit({ type: "opened", endpoint: id, sections: local });
    return endpoint;
  }

  setRemote(
    endpoint: Endpoint,
    { sections }: Extract<MediaCommand, { type: "set-remote-rtp" }>,
    now: Instant,
  ): void {
    const leg = endpoint.leg;
    if (leg === null) return;
    let reachable = false;
    for (const [i, section] of leg.sections.entries()) {
      const remote = sections[i] ?? null;
      const rtp = remote?.rtp ?? null;
      const address = rtp === null ? -1 : this.#shell.numberOf(rtp.address);
      section.setRemote(remote, address, this.#srtp, now);
      reachable ||= section.isAccepted;
    }
    endpoint.open = reachable;
    endpoint.iceState = reachable ? "connected" : "new";
  }

  close(endpoint: Endpoint, now: Instant): void {
    const leg = endpoint.leg;
    if (leg === null) return;
    try {
      this.#forwarder.own.goodbye(endpoint, now);
    } finally {
      this.#playing.delete(leg);
      for (const section of leg.sections) section.close();
      const sockets = leg.sections.flatMap(({ rtpSocket, rtcpSocket }) => [rtpSocket, rtcpSocket]);
      for (const socket of sockets) this.#sections[socket] = null;
      this.#drained.push({ sockets, until: now + DRAIN });
    }
  }

  /** A datagram on one of our sockets; gives whether it was the far end's. */
  datagram(
    socket: number,
    address: number,
    port: number,
    offset: number,
    length: number,
    now: Instant,
  ): Endpoint | null {
    const at = this.#sections[socket] ?? null;
    if (at === null) return null;
    const { endpoint, section } = at;
    const arena = this.#arena;
    const first = arena[offset]!;
    if (first < 128 || first >= 192 || length < 8) {
      endpoint.dropped++;
      return null;
    }
    const type = arena[offset + 1]!;
    if (type >= 192 && type < 224) {
      this.#rtcp(endpoint, section, address, port, offset, length, now);
    } else if (length >= 12) this.#rtp(endpoint, section, address, port, offset, length, now);
    else endpoint.dropped++;
    return endpoint;
  }

  #rtp(
    endpoint: Endpoint,
    section: RtpSection,
    address: number,
    port: number,
    offset: number,
    length: number,
    now: Instant,
  ): void {
    const arena = this.#arena;
    const ssrc = int32(arena, offset + 8);
    const sequence = int16(arena, offset + 2);
    const verdict = section.judge(address, port, ssrc, sequence, now);
    const wire = arena[offset + 1]! & 0x7f;
    const inner = section.agreed.payloadIn[wire]!;
    // A payload type that nobody agreed on proves nothing about where the far end is.
    const isRefused = verdict === Verdict.refuse || (verdict === Verdict.latch && inner < 0) ||
      !section.isAccepted || !section.limit.take(length, now);
    const size = isRefused
      ? -1
      : section.overlap !== null
      ? section.openOverlapped(false, arena, offset, length)
      : section.receiver !== null
      ? section.receiver.unprotectRtp(arena, offset, length)
      : rtpHeaderLength(arena, offset, length) < 0
      ? -1
      : length;
    if (size < 0) {
      endpoint.dropped++;
      return;
    }
    if (section.heard(verdict, address, port, ssrc, sequence, now)) {
      this.#latched(endpoint, section);
    }
    endpoint.heard++;
    endpoint.receivePackets++;
    endpoint.receiveBytes += size;
    // Comfort noise, say, that the joined side has not agreed to.
    if (inner < 0) return;
    arena[offset + 1] = (arena[offset + 1]! & 0x80) | inner;
    const payload = section.agreed.payloads[inner]!;
    if (section.agreed.isEvent[inner] === 1) {
      const header = rtpHeaderLength(arena, offset, size);
      const timestamp = int32(arena, offset + 4);
      const at = offset + header;
      const { clockRate } = payload;
      endpoint.leg!.detector.packet(arena, at, size - header, timestamp, clockRate, now);
    }
    this.#forwarder.pass(endpoint, payload, offset, size, now);
    if (section.kind === "video" && endpoint.pathOpen && isMainCodec(payload)) {
      this.#mend(endpoint, section, ssrc, sequence, now);
    }
  }

  /** Nobody has to wait until a browser beyond notices what we see first. */
  #mend(
    endpoint: Endpoint,
    section: RtpSection,
    ssrc: number,
    sequence: number,
    now: Instant,
  ): void {
    const { ask, isBroken } = section.losses.packet(ssrc, sequence, section.hasFeedback, now);
    if (ask.length > 0) this.#forwarder.own.askPackets(endpoint, ssrc, ask);
    if (isBroken) this.#forwarder.askKeyFrames(endpoint, now);
  }

  #latched(endpoint: Endpoint, section: RtpSection): void {
    const name = this.#shell.textOf(section.address);
    const address = name.includes(":") ? `[${name}]:${section.port}` : `${name}:${section.port}`;
    this.#shell.emit({ type: "latched", endpoint: endpoint.id, kind: section.kind, address });
  }

  #rtcp(
    endpoint: Endpoint,
    section: RtpSection,
    address: number,
    port: number,
    offset: number,
    length: number,
    now: Instant,
  ): void {
    const arena = this.#arena;
    const isTaken = section.judgeRtcp(address, port, now) && section.limit.take(length, now);
    const size = !isTaken
      ? -1
      : section.overlap !== null
      ? section.openOverlapped(true, arena, offset, length)
      : section.receiver === null
      ? length
      : section.receiver.unprotectRtcp(arena, offset, length);
    if (size < 0 || !isCompound(arena, offset, size) || !endpoint.rtcpLimit.take(size, now)) {
      endpoint.dropped++;
      return;
    }
    section.heardRtcp(address, port);
    endpoint.heard++;
    this.#forwarder.reports.relay(endpoint, section.kind, offset, size, now);
  }

  sendDtmf(endpoint: Endpoint, digits: string, durationMs: number, now: Instant): void {
    const leg = endpoint.leg;
    if (leg === null || eventOf(leg.section("audio"), null) === null) return;
    leg.dtmf.add(digits, durationMs, now);
    this.#playing.add(leg);
    this.#play(leg, now);
  }

  /** Does what is due between the ticks: telephone-events, and ports that are drained. */
  wake(now: Instant, faults: TurnFaults): void {
    for (const leg of this.#playing) {
      try {
        this.#play(leg, now);
      } catch (error) {
        faults.note(error);
        // Left due it would be played without end.
        if (leg.dtmf.nextAt <= now) leg.dtmf.clear();
        if (leg.dtmf.nextAt === Infinity) this.#playing.delete(leg);
      }
    }
    while (this.#drained.length > 0 && this.#drained[0]!.until <= now) {
      for (const socket of this.#drained.shift()!.sockets) {
        this.#sections[socket] = undefined;
        try {
          this.#shell.closeSocket(socket);
        } catch (error) {
          faults.note(error);
        }
      }
    }
  }

  /** Once a second for each leg. */
  tick(endpoint: Endpoint, now: Instant): void {
    const leg = endpoint.leg;
    if (leg === null) return;
    for (const section of leg.sections) section.tick(now);
    leg.detector.wake(now);
    const section = leg.section("audio");
    const silence = section === null ? null : silenceOf(section.agreed.main);
    if (section === null || silence === null || section.port === 0 || leg.dtmf.isActive) return;
    const stream = this.#audioStream(leg, section, now);
    if (now - stream.at < KEEP_ALIVE) return;
    const timestamp = stream.timestampAt(now);
    stream.beginChange();
    stream.at = now;
    stream.timestamp = timestamp;
    stream.rebase = true;
    stream.endChange();
    this.#arena.set(silence, this.#scratch + 12);
    this.#sendOwn(leg, section, stream, section.agreed.mainPayloadType, timestamp, silence.length);
  }

  #play(leg: RtpLeg, now: Instant): void {
    const section = leg.section("audio");
    const stream = section === null ? null : this.#audioStream(leg, section, now);
    const event = eventOf(section, stream);
    if (section === null || stream === null || event === null) {
      leg.dtmf.clear();
    } else {
      leg.dtmf.step(stream, event.clockRate, now, (packet) => {
        writeEvent(this.#arena, this.#scratch + 12, packet);
        const payloadType = event.payloadType | (packet.marker ? 0x80 : 0);
        this.#sendOwn(leg, section, stream, payloadType, packet.timestamp, 4);
      });
    }
    if (leg.dtmf.nextAt === Infinity) this.#playing.delete(leg);
  }

  #audioStream(leg: RtpLeg, section: RtpSection, now: Instant): OutStream {
    const out = leg.endpoint.out!;
    return out.main("audio") ??
      out.begin(
        leg.ownSsrc("audio"),
        "audio",
        section.agreed.main?.clockRate ?? 8000,
        leg.seed,
        now,
      );
  }

  /** Sends a packet whose payload lies behind the header's room in scratch. */
  #sendOwn(
    leg: RtpLeg,
    section: RtpSection,
    stream: OutStream,
    payloadType: number,
    timestamp: number,
    length: number,
  ): void {
    const [arena, at] = [this.#arena, this.#scratch];
    if (section.port === 0) return;
    arena[at] = 0x80;
    arena[at + 1] = payloadType;
    putInt16(arena, at + 2, stream.next(length));
    putInt32(arena, at + 4, timestamp);
    putInt32(arena, at + 8, stream.ssrc);
    const plain = 12 + length;
    const size = section.sender === null ? plain : section.sender.protectRtp(arena, at, plain);
    if (size < 0) return;
    leg.endpoint.sendPackets++;
    leg.endpoint.sendBytes += plain;
    this.#shell.send(section.rtpSocket, section.address, section.port, at, size);
  }
}

/** The telephone-event that fits the clock of what is sent (RFC 4733 2.1), else any. */
function eventOf(
  section: RtpSection | null,
  stream: OutStream | null,
): { readonly payloadType: number; readonly clockRate: number } | null {
  if (section === null) return null;
  const rate = stream?.clockRate ?? section.agreed.main?.clockRate ?? 0;
  const fitting = section.agreed.events.get(rate);
  if (fitting !== undefined) return { payloadType: fitting, clockRate: rate };
  for (const [clockRate, payloadType] of section.agreed.events) return { payloadType, clockRate };
  return null;
}

function writeEvent(buffer: Uint8Array, at: number, packet: EventPacket): void {
  buffer[at] = packet.event;
  buffer[at + 1] = (packet.isEnd ? 0x80 : 0) | packet.volume;
  putInt16(buffer, at + 2, packet.duration);
}
