import type { Instant } from "../../core/clock.ts";
import {
  RTCP_PAYLOAD_FEEDBACK,
  RTCP_RECEIVER_REPORT,
  RTCP_SENDER_REPORT,
  RTCP_TRANSPORT_FEEDBACK,
  TRANSPORT_WIDE,
} from "../rtcp/rtcp.ts";
import { int16, int32, putInt16, putInt32 } from "./bytes.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Kind, OutStream } from "./out_streams.ts";
import { cnameOf, type RtcpOutlet } from "./rtcp_outlet.ts";
import type { RtpSection } from "./rtp_section.ts";
import type { MediaShell } from "./shell.ts";

const KINDS: readonly Kind[] = ["audio", "video"];
const NACK = 1;
const PLI = 1;
const FIR = 4;
const APPLICATION = 15;
/** Longest feedback packet that is passed on. */
const MAX_COPY = 1200;
/** A packet is sent again once in a round trip; this long at least, and at most, ms. */
const REPEATS_APART: readonly [number, number] = [20, 200];

/** What one kind's report is to say: a sender report's place, and blocks. */
interface Report {
  sender: OutStream | null;
  senderAt: number;
  senderSsrc: number;
  isPresent: boolean;
  readonly blocks: { readonly at: number; readonly stream: OutStream | null }[];
}

/**
 * RTCP between endpoints whose streams are not the same on both sides: reports and feedback are
 * written anew with the SSRCs, sequence numbers and time stamps of the far side, and feedback goes
 * only to those who understand it.
 */
export class RtcpRelay {
  readonly #arena: Uint8Array;
  readonly #scratch: number;
  readonly #shell: MediaShell;
  readonly #outlet: RtcpOutlet;
  readonly #askKeyFrames: (endpoint: Endpoint, now: Instant) => void;
  readonly #reports: Readonly<Record<Kind, Report>> = { audio: report(), video: report() };

  /** @param scratch where packets that are repeated are put */
  constructor(
    arena: Uint8Array,
    scratch: number,
    shell: MediaShell,
    outlet: RtcpOutlet,
    askKeyFrames: (endpoint: Endpoint, now: Instant) => void,
  ) {
    this.#arena = arena;
    this.#scratch = scratch;
    this.#shell = shell;
    this.#outlet = outlet;
    this.#askKeyFrames = askKeyFrames;
  }

  /**
   * A whole compound packet of `from`. @param kind of the section it came in on, where there are
   * such
   */
  relay(
    from: Endpoint,
    kind: Kind | null,
    offset: number,
    length: number,
    now: Instant,
  ): void {
    const arena = this.#arena;
    const to = from.pathOpen ? from.peer : null;
    for (const each of KINDS) clear(this.#reports[each]);
    const end = offset + length;
    let feedback = 0;
    for (let at = offset; at < end;) {
      const size = 4 + 4 * int16(arena, at + 2);
      const type = arena[at + 1]!;
      if (type === RTCP_SENDER_REPORT || type === RTCP_RECEIVER_REPORT) {
        this.#readReport(from, to, kind, at, size, now);
      } else if (to !== null && size >= 12 && (++feedback === 1 || from.rtcpLimit.take(0, now))) {
        // Each part may become a datagram, which nobody has counted yet but for the first.
        if (type === RTCP_TRANSPORT_FEEDBACK) this.#transportFeedback(from, to, at, size, now);
        else if (type === RTCP_PAYLOAD_FEEDBACK) this.#payloadFeedback(from, to, at, size, now);
      }
      at += size;
    }
    if (to !== null) this.#sendReports(to, now);
  }

  #readReport(
    from: Endpoint,
    to: Endpoint | null,
    kind: Kind | null,
    at: number,
    size: number,
    now: Instant,
  ): void {
    const arena = this.#arena;
    const isSender = arena[at + 1] === RTCP_SENDER_REPORT;
    const blocks = at + (isSender ? 28 : 8);
    if (blocks > at + size) return;
    const ssrc = int32(arena, at + 4);
    if (isSender) {
      const middle = (int16(arena, at + 10) << 16) | int16(arena, at + 12);
      const stream = from.receive.find(ssrc);
      if (stream !== null) {
        stream.lastReport = middle;
        stream.lastReportAt = now;
      }
      const out = to?.out ?? null;
      const sender = out?.find(from, ssrc) ?? null;
      const of = sender?.kind ?? stream?.payload?.kind ?? kind;
      if (to !== null && of !== null && (out === null || sender !== null)) {
        const target = this.#reports[of];
        target.isPresent = true;
        target.sender = sender;
        target.senderAt = at;
        target.senderSsrc = sender?.ssrc ?? ssrc;
        to.roundTrip.sent(target.senderSsrc, middle, now);
      }
    }
    const count = arena[at]! & 31;
    for (let i = 0, b = blocks; i < count && b + 24 <= at + size; i++, b += 24) {
      this.#readBlock(from, to, ssrc, b, now);
    }
  }

  #readBlock(from: Endpoint, to: Endpoint | null, ssrc: number, at: number, now: Instant): void {
    const arena = this.#arena;
    const media = int32(arena, at);
    from.roundTrip.echoed(media, int32(arena, at + 16), int32(arena, at + 20) >>> 0, now);
    if (to === null) return;
    const stream = from.out?.named(media) ?? null;
    if (from.out !== null && stream?.source !== to.id) return;
    const kind = stream?.kind ?? to.receive.find(media)?.payload?.kind ?? null;
    if (kind === null) return;
    const target = this.#reports[kind];
    if (!target.isPresent) target.senderSsrc = to.out?.find(from, ssrc)?.ssrc ?? ssrc;
    target.isPresent = true;
    target.blocks.push({ at, stream });
  }

  /** Writes what was read for the far end of `to`: one packet, or one for each of its sections. */
  #sendReports(to: Endpoint, now: Instant): void {
    const writer = this.#outlet.begin();
    for (const kind of KINDS) {
      const report = this.#reports[kind];
      if (!report.isPresent) continue;
      this.#writeReport(to, kind, report);
      if (to.leg === null) continue;
      this.#outlet.report(to, kind, now);
      this.#outlet.begin();
    }
    if (writer.length > 0) this.#outlet.report(to, "audio", now);
  }

  #writeReport(to: Endpoint, kind: Kind, report: Report): void {
    const [arena, writer] = [this.#arena, this.#outlet.writer];
    const { sender, senderAt } = report;
    const main = to.out?.main(kind)?.ssrc;
    const ssrc = senderAt >= 0 ? report.senderSsrc : main ??
      to.leg?.ownSsrc(kind) ?? report.senderSsrc;
    if (senderAt >= 0) {
      const ntp = {
        seconds: int32(arena, senderAt + 8),
        fraction: int32(arena, senderAt + 12),
      };
      const timestamp = int32(arena, senderAt + 16) + (sender?.timestampOffset ?? 0);
      const packets = sender?.packets ?? int32(arena, senderAt + 20);
      const octets = sender?.octets ?? int32(arena, senderAt + 24);
      writer.senderReport(ssrc, ntp, timestamp, packets, octets);
      sender?.reported(false);
    } else writer.receiverReport(ssrc);
    for (const { at, stream } of report.blocks) {
      if (!writer.hasRoom(64)) break;
      const isOurs = stream?.reportIsOurs ?? false;
      writer.block({
        ssrc: stream?.sourceSsrc ?? int32(arena, at),
        fractionLost: arena[at + 4]!,
        lost: int32(arena, at + 4) << 8 >> 8,
        extendedHighest: int32(arena, at + 8) - (stream?.sequenceOffset ?? 0),
        jitter: int32(arena, at + 12),
        lastReport: isOurs ? 0 : int32(arena, at + 16),
        delay: isOurs ? 0 : int32(arena, at + 20),
      });
    }
    writer.sdes(ssrc, cnameOf(to));
  }

  #transportFeedback(
    from: Endpoint,
    to: Endpoint,
    at: number,
    size: number,
    now: Instant,
  ): void {
    const arena = this.#arena;
    const format = arena[at]! & 31;
    const stream = from.out?.named(int32(arena, at + 8)) ?? null;
    if (from.out !== null && stream?.source !== to.id) return;
    if (format === NACK) this.#nack(from, to, stream, at, size, now);
    else if (format === TRANSPORT_WIDE && to.leg === null && size >= 20) {
      this.#transportWide(from, to, stream, at, size);
    }
  }

  #transportWide(
    from: Endpoint,
    to: Endpoint,
    stream: OutStream | null,
    at: number,
    size: number,
  ): void {
    const base = int16(this.#arena, at + 12);
    from.transportWideReported = (base + int16(this.#arena, at + 14) - 1) & 0xffff;
    const media = stream?.sourceSsrc ?? int32(this.#arena, at + 8);
    this.#copy(to, at, size, media, (copy) => {
      const original = from.out?.transportWide.original(base, to) ?? null;
      if (original !== null) putInt16(this.#arena, copy + 12, original);
    });
  }

  /** Repeats what is kept, and asks the source for the rest. */
  #nack(
    from: Endpoint,
    to: Endpoint,
    stream: OutStream | null,
    at: number,
    size: number,
    now: Instant,
  ): void {
    const arena = this.#arena;
    const section = to.leg === null ? null : to.leg.section(stream?.kind ?? "video");
    const isUnderstood = to.leg === null || (section?.hasFeedback ?? false);
    const items: [number, number][] = [];
    for (let item = at + 12; item + 4 <= at + size; item += 4) {
      const first = int16(arena, item);
      const bits = (int16(arena, item + 2) << 1) | 1;
      let missing = 0;
      for (let i = 0; i < 17; i++) {
        if ((bits & (1 << i)) === 0) continue;
        const sequence = (first + i) & 0xffff;
        const isKept = stream !== null && this.#repeat(from, stream, sequence, now);
        if (!isKept && !isAsked(section, sequence, stream)) missing |= 1 << i;
      }
      if (missing === 0) continue;
      // The first one named must be missing itself: the rest counts from it.
      const skip = 31 - Math.clz32(missing & -missing);
      const start = (first + skip - (stream?.sequenceOffset ?? 0)) & 0xffff;
      items.push([start, (missing >>> (skip + 1)) & 0xffff]);
    }
    if (items.length === 0 || !isUnderstood) return;
    const media = stream?.sourceSsrc ?? int32(arena, at + 8);
    const ssrc = to.leg?.ownSsrc("video") ?? int32(arena, at + 4);
    const writer = this.#outlet.begin();
    if (to.leg !== null) writer.receiverReport(ssrc).sdes(ssrc, cnameOf(to));
    writer.nack(ssrc, media, items.slice(0, 200));
    this.#outlet.send(to, section);
  }

  /** Gives whether the packet is kept: then nobody else has to be asked for it. */
  #repeat(from: Endpoint, stream: OutStream, sequence: number, now: Instant): boolean {
    if (stream.cache === null) return false;
    const [least, most] = REPEATS_APART;
    const apart = Math.min(most, Math.max(least, from.roundTrip.ms ?? 0));
    const size = stream.cache.repeat(sequence, this.#arena, this.#scratch, apart, now);
    if (size < 0) return false;
    if (size === 0 || from.iceState !== "connected") return true;
    const section = from.leg?.section(stream.kind) ?? null;
    const [socket, address, port] = section === null
      ? [from.socket, from.address, from.port]
      : [section.rtpSocket, section.address, section.port];
    if (port !== 0) this.#shell.send(socket, address, port, this.#scratch, size);
    return true;
  }

  #payloadFeedback(
    from: Endpoint,
    to: Endpoint,
    at: number,
    size: number,
    now: Instant,
  ): void {
    const arena = this.#arena;
    const format = arena[at]! & 31;
    if (format === PLI || format === FIR) this.#askKeyFrames(to, now);
    else if (format === APPLICATION && to.leg === null) {
      this.#copy(to, at, size, int32(arena, at + 8), (copy) => {
        // REMB names the streams that it is about (draft-alvestrand-rmcat-remb-03 2.2).
        if (size < 20 || int32(arena, copy + 12) !== 0x52454d42) return;
        for (let i = 0; i < arena[copy + 16]! && 20 + 4 * i + 4 <= size; i++) {
          const stream = from.out?.named(int32(arena, copy + 20 + 4 * i));
          if (stream) putInt32(arena, copy + 20 + 4 * i, stream.sourceSsrc);
        }
      });
    }
  }

  /** Sends one feedback packet on as it stands, but for the SSRC it is about. */
  #copy(
    to: Endpoint,
    at: number,
    size: number,
    media: number,
    change: (copy: number) => void = () => {},
  ): void {
    if (size > MAX_COPY) return;
    const writer = this.#outlet.begin();
    const copy = writer.copy(at, size);
    putInt32(this.#arena, copy + 8, media);
    change(copy);
    this.#outlet.send(to, null);
  }
}

/** Whether we have asked a SIP leg for this packet already. */
function isAsked(section: RtpSection | null, sequence: number, stream: OutStream | null): boolean {
  if (section === null || stream === null) return false;
  return section.losses.isAsked((sequence - stream.sequenceOffset) & 0xffff);
}

function report(): Report {
  return { sender: null, senderAt: -1, senderSsrc: 0, isPresent: false, blocks: [] };
}

function clear(report: Report): void {
  report.sender = null;
  report.senderAt = -1;
  report.isPresent = false;
  report.blocks.length = 0;
}
