import assert from "node:assert/strict";
import type { EndpointToken } from "../../../src/core/ids.ts";
import type { Result } from "../../../src/core/result.ts";
import { type LocalTransportLike, parseSdp, type Sdp } from "../../../src/sdp/mod.ts";

export const CALLER_TOKEN = "0123456789abcdef0123456789abcdef" as EndpointToken;
export const CALLEE_TOKEN = "fedcba9876543210fedcba9876543210" as EndpointToken;

export const LOCAL: LocalTransportLike = {
  iceUfrag: "srvU",
  icePwd: "abcdefghijklmnopqrstuvwx",
  fingerprint: Array.from({ length: 32 }, () => "AB").join(":"),
  candidates: [{ address: "127.0.0.1", port: 40000 }, { address: "2001:db8::1", port: 40002 }],
};

export type FixtureName =
  | "chromium_audio"
  | "chromium_video"
  | "firefox_audio"
  | "firefox_video"
  | "chromium_answers_chromium_audio"
  | "chromium_answers_chromium_video"
  | "chromium_answers_firefox_video"
  | "firefox_answers_chromium_audio"
  | "firefox_answers_chromium_video"
  | "firefox_answers_firefox_video";

/** Text of a description that a browser made; see fixtures/README.md. */
export function fixture(name: FixtureName): string {
  return Deno.readTextFileSync(new URL(`./fixtures/${name}.sdp`, import.meta.url));
}

export function value<T>(result: Result<T, { readonly text: string }>): T {
  if (!result.ok) assert.fail(result.error.text);
  return result.value;
}

export function parsed(text: string): Sdp {
  return value(parseSdp(text));
}

/** Lines of the text that begin so. */
export function linesOf(text: string, prefix: string): string[] {
  return text.split("\r\n").filter((line) => line.startsWith(prefix));
}

/** Lines of the n-th m-section, its m-line first. */
export function sectionOf(text: string, index: number): string[] {
  const section = text.split(/\r\n(?=m=)/)[index + 1];
  assert.ok(section !== undefined, `no m-section ${index}`);
  return section.split("\r\n");
}
