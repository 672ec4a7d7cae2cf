import { ATTRIBUTE, BINDING_REQUEST, StunWriter } from "../../../src/rtp/ice/stun.ts";
import { HmacSha1 } from "../../../src/rtp/srtp/hmac_sha1.ts";
import type { LegPlan } from "./plan.ts";

/** An ICE check with nomination, as a browser's first. */
export function checkOf({ iceUfrag, icePwd }: Pick<LegPlan, "iceUfrag" | "icePwd">): Uint8Array {
  const buffer = new Uint8Array(256);
  const writer = new StunWriter(buffer, 0, BINDING_REQUEST, new Uint8Array(12), 0);
  const encode = (text: string) => new TextEncoder().encode(text);
  writer.attribute(ATTRIBUTE.username, encode(`${iceUfrag}:x`));
  writer.attribute(ATTRIBUTE.useCandidate, new Uint8Array(0));
  return buffer.subarray(0, writer.seal(new HmacSha1(encode(icePwd))));
}
