import type { EndpointToken } from "../../core/ids.ts";
import { err, ok, type Result } from "../../core/result.ts";
import * as sdp from "../../sdp/mod.ts";
import type { WireMediaView } from "./contract.ts";
import { type Described, nothing, type WireMedia } from "./wire_media.ts";

export interface DirectMediaOptions {
  readonly token: EndpointToken;
  /** What the party of this token and version really said. */
  readonly original: (abstract: sdp.Sdp) => string | undefined;
  readonly keep: (version: number, text: string) => void;
  /** First version of what is said inside; an endpoint that stood here before has used some. */
  readonly version: number;
}

/**
 * Media that passes by us: both wire sides hear each other's own words. Inside the process they
 * still travel as abstract ones, so that nothing else need know.
 */
export class DirectMedia implements WireMedia {
  readonly kind = "direct";
  readonly token: EndpointToken;
  readonly #options: DirectMediaOptions;
  #version: number;
  #codecs: readonly string[] = [];
  #isHeld = false;

  constructor(options: DirectMediaOptions) {
    this.#options = options;
    this.token = options.token;
    this.#version = options.version;
  }

  offerOut(abstract: sdp.Sdp): Result<string, sdp.SdpFault> {
    const text = this.#options.original(abstract);
    return text === undefined
      ? err({ reason: "unsupported", text: "the other side's media can't be reached directly" })
      : ok(text);
  }

  answerIn(text: string): Described {
    return { text: this.#toInner(text), commit: () => this.note(text) };
  }

  offerIn(text: string): Result<string, sdp.SdpFault> {
    const parsed = sdp.scanSdp(text);
    return parsed.ok ? ok(this.#toInner(text)) : parsed;
  }

  answerOut(abstract: sdp.Sdp): Described {
    const text = this.#options.original(abstract);
    if (text !== undefined) return { text, commit: () => this.note(text) };
    const fault: sdp.SdpFault = {
      reason: "unsupported",
      text: "the other side's media can't be reached directly",
    };
    return { text: "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", fault, commit: nothing };
  }

  connect(): void {}
  requestKeyFrame(): void {}
  close(): void {}

  view(): WireMediaView {
    return {
      kind: "direct",
      codecs: this.#codecs,
      remoteAddress: null,
      localAddress: null,
      worker: null,
      isSecure: false,
      isHeld: this.#isHeld,
      transcoding: null,
      statistics: null,
    };
  }

  /** What both sides agreed on, for operators. */
  note(text: string): void {
    const parsed = sdp.scanSdp(text);
    if (!parsed.ok) return;
    this.#codecs = sdp.firstCodecs(parsed.value);
    this.#isHeld = sdp.directionOf(parsed.value) !== "sendrecv";
  }

  #toInner(text: string): string {
    const version = ++this.#version;
    this.#options.keep(version, text);
    return sdp.abstractOfAny(text, { token: this.token, version });
  }
}
