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
import type { Endpoint } from "./endpoint.ts";
import { isMainCodec, isRed, type ReceiveStream } from "./receive_statistics.ts";
import type { MediaShell } from "./shell.ts";

/** At most one key frame request to each stream in this time, ms. */
export const KEY_FRAME_INTERVAL = 500;

/** The packet path: from one endpoint to its peer, in place and without allocation. */
export class Forwarder implements ReportListener {
  readonly #arena: Uint8Array;
  readonly #scratch: number;
  readonly #shell: MediaShell;
  /** Packets passed on since start. */
  packets = 0;
  /** Whom the reports being read came from, and when; `#to` null: they are not passed on. */
  #from: Endpoint | null = null;
  #to: Endpoint | null = null;
  #now: Instant = 0;

  constructor(arena: Uint8Array, scratch: number, shell: MediaShell) {
    this.#arena = arena;
    this.#scratch = scratch;
    this.#shell = shell;
  }

  rtp(endpoint: Endpoint, offset: number, length: number, now: Instant): void {
    const arena = this.#arena;
    if (!endpoint.open) {
      endpoint.early++;
      endpoint.dropped++;
      return;
    }
    let size = endpoint.receiver !== null
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
    this.#count(endpoint, offset, now);
    const peer = endpoint.peer;
    if (!endpoint.pathOpen || peer === null) return;
    if (endpoint.rewrite !== null) {
      size = endpoint.rewrite.rtp(arena, offset, size);
      if (size < 0) return;
    }
    if (peer.sender !== null) {
      size = peer.sender.protectRtp(arena, offset, size);
      if (size < 0) {
        endpoint.dropped++;
        return;
      }
    }
    peer.sendPackets++;
    peer.sendBytes += size;
    this.packets++;
    this.#shell.send(peer.socket, peer.address, peer.port, offset, size);
  }

  rtcp(endpoint: Endpoint, offset: number, length: number, now: Instant): void {
    const arena = this.#arena;
    if (!endpoint.open) {
      endpoint.dropped++;
      return;
    }
    let size = endpoint.receiver === null
      ? length
      : endpoint.receiver.unprotectRtcp(arena, offset, length);
    if (size < 0 || !isCompound(arena, offset, size)) {
      endpoint.dropped++;
      return;
    }
    endpoint.heard++;
    const peer = endpoint.pathOpen ? endpoint.peer : null;
    this.#from = endpoint;
    this.#to = peer;
    this.#now = now;
    readReports(arena, offset, size, this);
    if (peer === null) return;
    if (endpoint.rewrite !== null) {
      size = endpoint.rewrite.rtcp(arena, offset, size);
      if (size < 0) return;
    }
    if (peer.sender !== null) size = peer.sender.protectRtcp(arena, offset, size);
    if (size < 0) return;
    this.packets++;
    this.#shell.send(peer.socket, peer.address, peer.port, offset, size);
  }

  senderReport(ssrc: number, middleNtp: number): void {
    this.#to?.roundTrip.sent(ssrc, middleNtp, this.#now);
  }

  reportBlock(ssrc: number, lastReport: number, delay: number): void {
    this.#from?.roundTrip.echoed(ssrc, lastReport, delay, this.#now);
  }

  #count(endpoint: Endpoint, offset: number, now: Instant): void {
    const arena = this.#arena;
    const ssrc = int32(arena, offset + 8);
    const stream = endpoint.receive.stream(ssrc);
    if (stream === null) return;
    const payload = endpoint.payloads[arena[offset + 1]! & 0x7f]!;
    const sequence = (arena[offset + 2]! << 8) | arena[offset + 3]!;
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
      this.#shell.emit({ type: "media", endpoint: endpoint.id, kind: payload.kind });
    }
    // Its first key frame may have come before the keys.
    if (isNew && payload.kind === "video" && endpoint.early > 0) this.askKeyFrames(endpoint, now);
  }

  /** What the first block of a RED packet holds (RFC 2198 3); null: not known. */
  #inner(endpoint: Endpoint, offset: number): PayloadKind | null {
    // The packet was checked and lies in a slot: reading past its end finds room, not another's bytes.
    const header = rtpHeaderLength(this.#arena, offset, this.#arena.length - offset);
    if (header < 0) return null;
    return endpoint.payloads[this.#arena[offset + header]! & 0x7f] ?? null;
  }

  /** To be called when anything has changed that decides whether this endpoint's packets may pass. */
  refresh(endpoint: Endpoint, now: Instant): void {
    this.#refreshPath(endpoint, now);
    for (const source of endpoint.sources) this.#refreshPath(source, now);
  }

  #refreshPath(endpoint: Endpoint, now: Instant): void {
    const peer = endpoint.peer;
    const isOpen = endpoint.open && endpoint.flowing && peer !== null && peer.open &&
      peer.flowing && peer.iceState === "connected";
    if (isOpen === endpoint.pathOpen) return;
    endpoint.pathOpen = isOpen;
    if (isOpen) this.askKeyFrames(endpoint, now);
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
      writePli(this.#arena, this.#scratch, endpoint.ssrc, stream.ssrc);
      const size = endpoint.sender === null
        ? PLI_LENGTH
        : endpoint.sender.protectRtcp(this.#arena, this.#scratch, PLI_LENGTH);
      if (size < 0) continue;
      this.#shell.send(endpoint.socket, endpoint.address, endpoint.port, this.#scratch, size);
    }
  }
}

function int32(buffer: Uint8Array, at: number): number {
  return (buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!;
}
