import type { Instant } from "../../core/clock.ts";
import { middleOf, ntpOf } from "../rtcp/rtcp_writer.ts";
import type { Endpoint } from "./endpoint.ts";
import { nackItems } from "./loss_watch.ts";
import type { Kind } from "./out_streams.ts";
import { isMainCodec, type ReceiveStream } from "./receive_statistics.ts";
import { cnameOf, type RtcpOutlet } from "./rtcp_outlet.ts";

/** A far end hears how its media fares at least this often, ms (RFC 3550 6.2). */
export const REPORT_INTERVAL = 5000;
const KINDS: readonly Kind[] = ["audio", "video"];

/** RTCP that we say ourselves: where the peer says nothing, and where a leg ends. */
export class OwnReports {
  readonly #outlet: RtcpOutlet;
  readonly #epochOffset: number;

  /** @param epochOffset wall clock less the clock of `now`, ms */
  constructor(outlet: RtcpOutlet, epochOffset: number) {
    this.#outlet = outlet;
    this.#epochOffset = epochOffset;
  }

  /**
   * A report of our own for the far end of `to`, where the peer has not sent one for too long: on
   * what it is sent, and on what was received of it.
   */
  originate(to: Endpoint, now: Instant): void {
    // Nothing goes where nobody consents (RFC 7675 5.1).
    const mayBeTold = to.open && to.iceState === "connected";
    if (!to.hasOwnReports || !mayBeTold || now - to.reportedAt < REPORT_INTERVAL) return;
    to.reportedAt = now;
    const writer = this.#outlet.begin();
    for (const kind of KINDS) {
      if (!this.#writeOwn(to, kind, now) || to.leg === null) continue;
      this.#outlet.report(to, kind, now);
      this.#outlet.begin();
    }
    if (writer.length > 0) this.#outlet.report(to, "audio", now);
  }

  #writeOwn(to: Endpoint, kind: Kind, now: Instant): boolean {
    const { writer } = this.#outlet;
    const stream = to.out?.main(kind) ?? null;
    const heard = to.receive.streams.filter(({ payload, at }) =>
      payload?.kind === kind && isMainCodec(payload) && now - at < 2 * REPORT_INTERVAL
    );
    const isSending = stream !== null && stream.packets !== stream.packetsAtReport;
    const isPhone = to.leg?.section(kind) !== undefined && to.leg?.section(kind) !== null;
    if (!isSending && heard.length === 0 && !isPhone) return false;
    const ssrc = stream?.ssrc ?? to.leg?.ownSsrc(kind) ?? to.ssrc;
    if (isSending) {
      const ntp = ntpOf(now + this.#epochOffset);
      writer.senderReport(ssrc, ntp, stream.timestampAt(now), stream.packets, stream.octets);
      stream.reported(true);
      to.roundTrip.sent(ssrc, middleOf(ntp), now);
    } else writer.receiverReport(ssrc);
    for (const received of heard) {
      if (writer.hasRoom(64)) writer.block(blockOf(received, now));
    }
    writer.sdes(ssrc, cnameOf(to));
    return true;
  }

  /** BYE for what a SIP leg was sent (RFC 3550 6.6): the leg is about to close. */
  goodbye(endpoint: Endpoint, now: Instant): void {
    for (const stream of endpoint.out?.streams ?? []) {
      if (endpoint.leg?.section(stream.kind) === null) continue;
      const { ssrc, kind } = stream;
      this.#outlet.begin().receiverReport(ssrc).sdes(ssrc, cnameOf(endpoint)).bye(ssrc);
      this.#outlet.report(endpoint, kind, now);
    }
  }

  /** Asks a SIP leg for packets of its video once more, in ascending order. */
  askPackets(leg: Endpoint, media: number, sequences: readonly number[]): void {
    const section = leg.leg?.section("video") ?? null;
    if (section === null) return;
    const ssrc = leg.out?.main("video")?.ssrc ?? leg.leg!.ownSsrc("video");
    this.#outlet.begin().receiverReport(ssrc).sdes(ssrc, cnameOf(leg))
      .nack(ssrc, media, nackItems(sequences));
    this.#outlet.send(leg, section);
  }

  /** Asks a SIP leg for a key frame of its video; gives whether it understands that. */
  keyFrame(leg: Endpoint, media: number): boolean {
    const section = leg.leg?.section("video") ?? null;
    if (section === null || !section.hasFeedback) return false;
    const ssrc = leg.out?.main("video")?.ssrc ?? leg.leg!.ownSsrc("video");
    const writer = this.#outlet.begin().receiverReport(ssrc).sdes(ssrc, cnameOf(leg));
    if (section.wantsFir) writer.fullIntra(ssrc, media, section.nextFir());
    else writer.pictureLoss(ssrc, media);
    this.#outlet.send(leg, section);
    return true;
  }
}

function blockOf(stream: ReceiveStream, now: Instant) {
  return {
    ssrc: stream.ssrc,
    fractionLost: stream.fractionLost(),
    lost: stream.lost,
    extendedHighest: stream.extendedHighest,
    jitter: stream.jitter,
    lastReport: stream.lastReport,
    delay: stream.lastReport === 0
      ? 0
      : Math.min(0xffffffff, Math.round((now - stream.lastReportAt) * 65.536)),
  };
}
