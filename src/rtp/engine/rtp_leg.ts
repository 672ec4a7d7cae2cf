import { DtmfDetector } from "./dtmf_detector.ts";
import { DtmfSender } from "./dtmf_sender.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Kind } from "./out_streams.ts";
import type { RtpSection } from "./rtp_section.ts";

/** What a SIP leg has beyond what every endpoint has. The rules are in `rtp_legs.ts`. */
export class RtpLeg {
  readonly dtmf = new DtmfSender();
  readonly detector: DtmfDetector;
  /** When `key-frame-wanted` may be told again. */
  keyFrameWantedAt = -Infinity;

  constructor(
    readonly endpoint: Endpoint,
    readonly sections: readonly RtpSection[],
    /** SSRC of audio and video of our own making, and first sequence number. */
    readonly seed: number,
    tellDigit: (digit: string, durationMs: number) => void,
  ) {
    this.detector = new DtmfDetector(tellDigit);
  }

  /** The accepted section of this kind, or null. */
  section(kind: Kind): RtpSection | null {
    for (const section of this.sections) {
      if (section.kind === kind && section.isAccepted) return section;
    }
    return null;
  }

  /** SSRC of what we say ourselves about this kind, where nothing else gives one. */
  ownSsrc(kind: Kind): number {
    return kind === "audio" ? this.seed : this.seed ^ 0x5555;
  }
}
