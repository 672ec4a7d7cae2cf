import type { Instant } from "../../core/clock.ts";
import { RtcpWriter } from "../rtcp/rtcp_writer.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Kind } from "./out_streams.ts";
import type { RtpSection } from "./rtp_section.ts";
import type { MediaShell } from "./shell.ts";

/** Writes compound packets and sends them to far ends, whatever kind of leg they are on. */
export class RtcpOutlet {
  readonly #shell: MediaShell;
  readonly writer: RtcpWriter;
  /** Compound packets sent. */
  packets = 0;

  /** @param scratch where compound packets are written */
  constructor(readonly arena: Uint8Array, readonly scratch: number, shell: MediaShell) {
    this.#shell = shell;
    this.writer = new RtcpWriter(arena);
  }

  /** Begins a compound packet. */
  begin(): RtcpWriter {
    return this.writer.begin(this.scratch);
  }

  /** Sends what was written as a report on this kind. */
  report(to: Endpoint, kind: Kind, now: Instant): void {
    to.reportedAt = now;
    const section = to.leg?.section(kind) ?? null;
    if (to.leg !== null && section === null) return;
    this.send(to, section);
  }

  /** Sends what was written. @param section of a SIP leg; null on all others */
  send(to: Endpoint, section: RtpSection | null): void {
    const { length } = this.writer;
    const sender = section === null ? to.sender : section.sender;
    const size = sender === null ? length : sender.protectRtcp(this.arena, this.scratch, length);
    if (size < 0) return;
    this.packets++;
    if (section === null) {
      if (to.socket >= 0) this.#shell.send(to.socket, to.address, to.port, this.scratch, size);
      return;
    }
    if (section.rtcpPort === 0) return;
    const socket = section.isMuxed ? section.rtpSocket : section.rtcpSocket;
    this.#shell.send(socket, section.rtcpAddress, section.rtcpPort, this.scratch, size);
  }
}

/**
 * One name for all that a far end is sent, whoever sends it: so that sound and picture belong
 * together.
 */
export function cnameOf(to: Endpoint): string {
  return `pz${(to.ssrc >>> 0).toString(16)}`;
}
