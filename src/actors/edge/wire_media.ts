import type { EndpointToken } from "../../core/ids.ts";
import type { Result } from "../../core/result.ts";
import type { Sdp, SdpFault } from "../../sdp/mod.ts";
import type { WireMediaView } from "./contract.ts";

/** A description for the other side of the edge, and what agreeing to it means for the media. */
export interface Described {
  readonly text: string;
  /** Why nothing of it could be taken, where that is so: all m-lines are refused then. */
  readonly fault?: SdpFault;
  /** Puts the answer to work; harmless when done again. */
  commit(): void;
}

/**
 * The media of one anchor: turns descriptions from abstract to concrete and back, and tells its
 * endpoint what was agreed. One offer a direction may be open at a time (RFC 3264 4).
 */
export interface WireMedia {
  readonly kind: WireMediaView["kind"];
  readonly token: EndpointToken;
  /** From inside to the wire. */
  offerOut(abstract: Sdp): Result<string, SdpFault>;
  /** The wire's answer to `offerOut`. */
  answerIn(text: string): Described;
  /** From the wire to inside. */
  offerIn(text: string): Result<string, SdpFault>;
  /** The answer from inside to `offerIn`. */
  answerOut(abstract: Sdp): Described;
  connect(peer: EndpointToken): void;
  requestKeyFrame(): void;
  close(): void;
  view(): WireMediaView;
}

/** What became of an endpoint. */
export type WireMediaEvent =
  | { readonly type: "opened" }
  | { readonly type: "failed"; readonly text: string }
  | { readonly type: "lost"; readonly text: string }
  | { readonly type: "key-frame-wanted" }
  | { readonly type: "dtmf"; readonly digit: string; readonly durationMs: number }
  | { readonly type: "silent"; readonly ms: number };

export function nothing(): void {}

/** `address:port`, IPv6 in brackets. */
export function placeOf(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
