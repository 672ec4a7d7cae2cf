import type { Instant } from "../../core/clock.ts";
import type { PayloadKind } from "../contract.ts";
import {
  isCompound,
  PLI_LENGTH,
  readReports,
  type ReportListener,
  writePli,
} from "../rtcp/rtcp.ts";
import { rtpHeaderLength } from "../srtp/context.ts";
import { int32 } from "./bytes.ts";
import type { Dscp } from "./dscp.ts";
import type { Endpoint } from "./endpoint.ts";
import { PacketCache } from "./packet_cache.ts";
import { OwnReports } from "./own_reports.ts";
import { RtcpOutlet } from "./rtcp_outlet.ts";
import { RtcpRelay } from "./rtcp_relay.ts";
import { isMainCodec, isRed, type ReceiveStream } from "./receive_statistics.ts";
import type { MediaShell } from "./shell.ts";
import { TransportFeedback } from "./transport_feedback.ts";

/** At most one key frame request to each stream in this time, ms. */
export const KEY_FRAME_INTERVAL = 500;

/** And to a phone that has to be asked by SIP, ms. */
export const KEY_FRAME_BY_SIGNALLING = 2000;
/** Where in scratch compound packets are written, and packets that are repeated. */
const REPORTS_ROOM = 1024;
const REPEATS_ROOM = 2560;

/** The packet path: from one endpoint to its peer, in place and without allocation. */
export class Forwarder implements ReportListener {
  readonly #arena: Uint8Array;
  readonly #scratch: number;
  readonly #shell: MediaShell;
  #packets = 0;
  /** Whom the reports being read came from, and when; `#to` null: they are not passed on. */
  #from: Endpoint | null = null;
  #to: Endpoint | null = null;
  #now: Instant = 0;
  /** RTCP of endpoints whose streams are changed on their way. */
  readonly reports: RtcpRelay;
  readonly own: OwnReports;
  readonly #outlet: RtcpOutlet;

  /** @param epochOffset wall clock less the clock of `now`, ms */
  constructor(
    arena: Uint8Array,
    scratch: number,
    shell: MediaShell,
    epochOffset: number,
    readonly dscp: Dscp,
  ) {
    this.#arena = arena;
    this.#scratch = scratch;
    this.#shell = shell;
    this.#outlet = new RtcpOutlet(arena, scratch + REPORTS_ROOM, shell);
    this.own = new OwnReports(this.#outlet, epochOffset);
    this.reports = new RtcpRelay(
      arena,
      scratch + REPEATS_ROOM,
      shell,
      this.#outlet,
      (endpoint, now) => this.askKeyFrames(endpoint, now),
    );
  }

  /** Packets sent since start. */
  get packets(): number {
    return this.#packets + this.#outlet.packets;
  }

  rtp(endpoint: Endpoint, offset: number, length: number, now: Instant): void {
    const arena = this.#arena;
    if (!endpoint.open) {
      endpoint.early++;
      endpoint.dropped++;
      return;
    }
    if (!endpoint.limit.take(length, now)) {
      endpoint.dropped++;
      return;
    }
    const size = endpoint.receiver !== null
      ? endpoint.receiver.unprotectRtp(arena, offset, length)
      : rtpHeaderLength(arena, offset, length) < 0
      ? -1
      : length;
    if (size < 0) {
      endpoint.dropped++;
      return;
    }
    endpoint.heard++;
    endpoint.receivePackets++;
    endpoint.receiveBytes += size;
    if (endpoint.transportWideId > 0) this.#reportWide(endpoint, offset, now);
    this.pass(endpoint, endpoint.payloads[arena[offset + 1]! & 0x7f]!, offset, size, now);
  }

  /** A phone tells a browser nothing of its packets one by one: we do. */
  #reportWide(endpoint: Endpoint, offset: number, now: Instant): void {
    const { peer, transportWideId } = endpoint;
    if (peer === null || !peer.isSingle || endpoint.iceState !== "connected") return;
    const arena = this.#arena;
    const feedback = endpoint.feedback ??= new TransportFeedback();
    const ssrc = int32(arena, offset + 8);
    if (!feedback.packet(arena, offset, transportWideId, ssrc, now)) return;
    const at = this.#scratch + REPORTS_ROOM;
    const length = feedback.write(arena, at, endpoint.ssrc, now);
    const size = endpoint.sender === null ? length : endpoint.sender.protectRtcp(arena, at, length);
    if (size >= 0) this.#shell.send(endpoint.socket, endpoint.address, endpoint.port, at, size);
  }

  /** A plain packet of this endpoint: counts it, and sends it to the peer. */
  pass(
    endpoint: Endpoint,
    payload: PayloadKind | null,
    offset: number,
    length: number,
    now: Instant,
  ): void {
    this.#count(endpoint, payload, offset, now);
    const peer = endpoint.peer;
    if (!endpoint.pathOpen || peer === null) return;
    if (peer.out !== null) {
      this.#translate(endpoint, peer, payload, offset, length, now);
      return;
    }
    let size = length;
    if (peer.sender !== null) {
      size = peer.sender.protectRtp(this.#arena, offset, size);
      if (size < 0) {
        endpoint.dropped++;
        return;
      }
    }
    peer.sendPackets++;
    peer.sendBytes += size;
    this.#packets++;
    const mark = this.#markOf(peer, payload);
    this.#shell.send(peer.socket, peer.address, peer.port, offset, size, mark);
  }

  /** The socket that a browser's legs share is marked for audio. */
  #markOf(to: Endpoint, payload: PayloadKind | null): number {
    return payload !== null && payload.kind === "video" && to.kind === "webrtc"
      ? this.dscp.video
      : 0;
  }

  /** To a far end whose streams go on whoever sends them, or who has payload types of its own. */
  #translate(
    from: Endpoint,
    to: Endpoint,
    payload: PayloadKind | null,
    offset: number,
    length: number,
    now: Instant,
  ): void {
    const [arena, leg, out] = [this.#arena, to.leg, to.out];
    if (payload === null || out === null) return;
    const { kind } = payload;
    const section = leg === null ? null : leg.section(kind);
    let wire = -1;
    if (leg !== null) {
      if (section === null || section.port === 0) return;
      wire = section.agreed.payloadOut[arena[offset + 1]! & 0x7f]!;
      if (wire < 0 || (kind === "audio" && leg.dtmf.isActive)) return;
    }
    if (leg !== null || from.isSingle) {
      // Ids of header extensions were negotiated with somebody else.
      const skipped = stripExtension(arena, offset);
      offset += skipped;
      length -= skipped;
    } else if (from.transportWideId > 0) {
      const reported = to.transportWideReported;
      out.transportWide.rtp(arena, offset, from.transportWideId, from, reported);
    }
    const stream = out.rtp(arena, offset, length, from, kind, payload, now);
    if (section !== null) arena[offset + 1] = (arena[offset + 1]! & 0x80) | wire;
    const sequence = (arena[offset + 2]! << 8) | arena[offset + 3]!;
    const sender = section === null ? to.sender : section.sender;
    const size = sender === null ? length : sender.protectRtp(arena, offset, length);
    if (size < 0) {
      from.dropped++;
      return;
    }
    if (kind === "video" && (from.isSingle || section?.hasFeedback)) {
      stream.cache ??= new PacketCache();
      stream.cache.put(sequence, arena, offset, size);
    }
    to.sendPackets++;
    to.sendBytes += size;
    this.#packets++;
    if (section === null) {
      const mark = this.#markOf(to, payload);
      this.#shell.send(to.socket, to.address, to.port, offset, size, mark);
    } else this.#shell.send(section.rtpSocket, section.address, section.port, offset, size);
  }

  rtcp(endpoint: Endpoint, offset: number, length: number, now: Instant): void {
    const arena = this.#arena;
    if (!endpoint.open) {
      endpoint.dropped++;
      return;
    }
    let size = !endpoint.limit.take(length, now)
      ? -1
      : endpoint.receiver === null
      ? length
      : endpoint.receiver.unprotectRtcp(arena, offset, length);
    const isTaken = size >= 0 && endpoint.rtcpLimit.take(size, now);
    if (!isTaken || !isCompound(arena, offset, size)) {
      endpoint.dropped++;
      return;
    }
    endpoint.heard++;
    if (endpoint.out !== null || (endpoint.peer?.out ?? null) !== null) {
      this.reports.relay(endpoint, null, offset, size, now);
      return;
    }
    const peer = endpoint.pathOpen ? endpoint.peer : null;
    this.#from = endpoint;
    this.#to = peer;
    this.#now = now;
    readReports(arena, offset, size, this);
    if (peer === null) return;
    if (peer.sender !== null) size = peer.sender.protectRtcp(arena, offset, size);
    if (size < 0) return;
    this.#packets++;
    this.#shell.send(peer.socket, peer.address, peer.port, offset, size);
  }

  senderReport(ssrc: number, middleNtp: number): void {
    this.#to?.roundTrip.sent(ssrc, middleNtp, this.#now);
  }

  transportFeedback(newest: number): void {
    if (this.#from !== null) this.#from.transportWideReported = newest;
  }

  reportBlock(ssrc: number, lastReport: number, delay: number): void {
    this.#from?.roundTrip.echoed(ssrc, lastReport, delay, this.#now);
  }

  #count(endpoint: Endpoint, payload: PayloadKind | null, offset: number, now: Instant): void {
    const arena = this.#arena;
    const ssrc = int32(arena, offset + 8);
    const sequence = (arena[offset + 2]! << 8) | arena[offset + 3]!;
    const stream = endpoint.receive.stream(ssrc, sequence);
    stream.packet(sequence, int32(arena, offset + 4), payload?.clockRate ?? 0, now);
    if (payload === null || payload === stream.outer) return;
    this.#learn(endpoint, stream, payload, offset, now);
  }

  /** A payload type that this stream did not have before. */
  #learn(
    endpoint: Endpoint,
    stream: ReceiveStream,
    outer: PayloadKind,
    offset: number,
    now: Instant,
  ): void {
    const payload = isRed(outer) ? this.#inner(endpoint, offset) : outer;
    if (payload === null || !isMainCodec(payload)) {
      stream.payload ??= outer;
      return;
    }
    const isNew = stream.outer === null;
    stream.outer = outer;
    stream.payload = payload;
    endpoint.receive[payload.kind] = payload;
    const seen = payload.kind === "audio" ? endpoint.audioSeen : endpoint.videoSeen;
    if (!seen) {
      if (payload.kind === "audio") endpoint.audioSeen = true;
      else endpoint.videoSeen = true;
      endpoint.record.save(endpoint);
      this.#shell.emit({ type: "media", endpoint: endpoint.id, kind: payload.kind });
    }
    // Its first key frame may have come before the keys.
    if (isNew && payload.kind === "video" && endpoint.early > 0) this.askKeyFrames(endpoint, now);
  }

  /** What the first block of a RED packet holds (RFC 2198 3); null: not known. */
  #inner(endpoint: Endpoint, offset: number): PayloadKind | null {
    // The packet was checked and lies in a slot: reading past its end finds room, not another's
    // bytes.
    const header = rtpHeaderLength(this.#arena, offset, this.#arena.length - offset);
    if (header < 0) return null;
    return endpoint.payloads[this.#arena[offset + header]! & 0x7f] ?? null;
  }

  /**
   * To be called when anything has changed that decides whether this endpoint's packets may pass.
   */
  refresh(endpoint: Endpoint, now: Instant): void {
    this.#refreshPath(endpoint, now);
    for (const source of endpoint.sources) this.#refreshPath(source, now);
  }

  #refreshPath(endpoint: Endpoint, now: Instant): void {
    const peer = endpoint.peer;
    const isOpen = endpoint.open && endpoint.flowing && peer !== null && peer.source === endpoint &&
      peer.open && peer.flowing && peer.iceState === "connected";
    if (isOpen === endpoint.pathOpen) return;
    endpoint.pathOpen = isOpen;
    if (isOpen) this.askKeyFrames(endpoint, now);
  }

  /** The far end has no RTCP feedback: it has to be asked by SIP. */
  #wantKeyFrame(endpoint: Endpoint, now: Instant): void {
    const leg = endpoint.leg;
    if (leg === null || now < leg.keyFrameWantedAt) return;
    leg.keyFrameWantedAt = now + KEY_FRAME_BY_SIGNALLING;
    this.#shell.emit({ type: "key-frame-wanted", endpoint: endpoint.id });
  }

  /** Sends a picture loss indication for each video stream, within the rate limit. */
  askKeyFrames(endpoint: Endpoint, now: Instant): void {
    endpoint.keyFrameDue = Infinity;
    if (!endpoint.open || endpoint.iceState !== "connected") return;
    for (const stream of endpoint.receive.streams) {
      const payload = stream.payload;
      if (payload === null || payload.kind !== "video" || !isMainCodec(payload)) continue;
      const due = stream.keyFrameAskedAt + KEY_FRAME_INTERVAL;
      if (now < due) {
        endpoint.keyFrameDue = Math.min(endpoint.keyFrameDue, due);
        continue;
      }
      stream.keyFrameAskedAt = now;
      if (endpoint.leg !== null) {
        if (!this.own.keyFrame(endpoint, stream.ssrc)) this.#wantKeyFrame(endpoint, now);
        continue;
      }
      writePli(this.#arena, this.#scratch, endpoint.ssrc, stream.ssrc);
      const size = endpoint.sender === null
        ? PLI_LENGTH
        : endpoint.sender.protectRtcp(this.#arena, this.#scratch, PLI_LENGTH);
      if (size < 0) continue;
      this.#shell.send(endpoint.socket, endpoint.address, endpoint.port, this.#scratch, size);
    }
  }
}

/**
 * Takes the header extension out by moving the header up to the payload (RFC 3550 5.3.1): gives by
 * how much the packet begins later. The header has been checked.
 */
function stripExtension(buffer: Uint8Array, offset: number): number {
  const first = buffer[offset]!;
  if ((first & 0x10) === 0) return 0;
  const fixed = 12 + 4 * (first & 15);
  const extension = 4 + 4 * ((buffer[offset + fixed + 2]! << 8) | buffer[offset + fixed + 3]!);
  buffer[offset] = first & 0xef;
  buffer.copyWithin(offset + extension, offset, offset + fixed);
  return extension;
}
