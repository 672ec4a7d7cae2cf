import { err, ok, type Result } from "../../core/result.ts";
import { quote } from "../message/text.ts";
import { type AuthFault, parseDigestParams } from "./auth_params.ts";
import { type DigestAlgorithm, digestResponse, ha1, parseAlgorithm } from "./digest.ts";

/** A Digest challenge: value of WWW-Authenticate or Proxy-Authenticate (RFC 7616 3.3). */
export interface Challenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  /** As it stands in the header; absent means MD5. */
  readonly algorithm: string | undefined;
  /** In lower case; empty where there is none. */
  readonly qop: readonly string[];
  readonly stale: boolean;
}

/** Reads one header value; several challenges stand in several header fields (RFC 3261 7.3.1). */
export function parseChallenge(text: string): Result<Challenge, AuthFault> {
  const params = parseDigestParams(text);
  if (!params.ok) return params;
  const realm = params.value.get("realm");
  const nonce = params.value.get("nonce");
  if (realm === undefined || nonce === undefined) {
    return err({ kind: "malformed", text: "Challenge without realm or nonce" });
  }
  const qop = params.value.get("qop")?.toLowerCase().split(/[\s,]+/).filter((q) => q !== "") ?? [];
  return ok({
    realm,
    nonce,
    opaque: params.value.get("opaque"),
    algorithm: params.value.get("algorithm"),
    qop,
    stale: params.value.get("stale")?.toLowerCase() === "true",
  });
}

/** Whether `answerChallenge` can answer it. */
export function canAnswer(challenge: Challenge): boolean {
  return parseAlgorithm(challenge.algorithm ?? "MD5") !== undefined &&
    (challenge.qop.length === 0 || challenge.qop.includes("auth"));
}

/**
 * The challenge to answer among header values: the first that we can, because the server puts
 * what it prefers on top (RFC 8760 2.4).
 */
export function chooseChallenge(values: readonly string[]): Challenge | undefined {
  for (const value of values) {
    const challenge = parseChallenge(value);
    if (challenge.ok && canAnswer(challenge.value)) return challenge.value;
  }
  return undefined;
}

export interface Answer {
  readonly challenge: Challenge;
  readonly method: string;
  /** The Request-URI. */
  readonly uri: string;
  readonly username: string;
  readonly password: string;
  /** Fresh random text. */
  readonly cnonce: string;
  /** How often this nonce was used, this time included: from 1. */
  readonly nonceCount: number;
}

/** Value of Authorization or Proxy-Authorization (RFC 7616 3.4, RFC 3261 22.4). */
export function answerChallenge(answer: Answer): Result<string, AuthFault> {
  const { challenge, username, cnonce } = answer;
  const known = parseAlgorithm(challenge.algorithm ?? "MD5");
  if (known === undefined || !canAnswer(challenge)) {
    const text = `Challenge with algorithm ${challenge.algorithm}, qop ${challenge.qop.join(" ")}`;
    return err({ kind: "unsupported", text });
  }
  const nc = answer.nonceCount.toString(16).padStart(8, "0");
  const hasQop = challenge.qop.length > 0;
  const response = digestResponse({
    ...known,
    ha1: ha1(known.algorithm, username, challenge.realm, answer.password),
    nonce: challenge.nonce,
    method: answer.method,
    uri: answer.uri,
    cnonce,
    ...(hasQop ? { auth: { cnonce, nc } } : {}),
  });
  const parts = [
    `username=${quote(username)}`,
    `realm=${quote(challenge.realm)}`,
    `nonce=${quote(challenge.nonce)}`,
    `uri=${quote(answer.uri)}`,
    `response="${response}"`,
  ];
  if (challenge.algorithm !== undefined) parts.push(`algorithm=${challenge.algorithm}`);
  if (hasQop || known.session) parts.push(`cnonce=${quote(cnonce)}`);
  if (hasQop) parts.push("qop=auth", `nc=${nc}`);
  if (challenge.opaque !== undefined) parts.push(`opaque=${quote(challenge.opaque)}`);
  return ok(`Digest ${parts.join(", ")}`);
}

export interface ChallengeOptions {
  readonly realm: string;
  readonly nonce: string;
  readonly algorithm: DigestAlgorithm;
  /** The credentials were right, only their nonce was too old or used. */
  readonly stale?: boolean;
  readonly opaque?: string;
}

/** Value of one WWW-Authenticate or Proxy-Authenticate; qop is always `auth`. */
export function createChallenge(options: ChallengeOptions): string {
  const { realm, nonce, algorithm, opaque } = options;
  return `Digest realm=${quote(realm)}, nonce=${quote(nonce)}, algorithm=${algorithm}, qop="auth"` +
    (opaque === undefined ? "" : `, opaque=${quote(opaque)}`) +
    (options.stale === true ? ", stale=true" : "");
}

/**
 * One challenge an algorithm, each for a header field of its own. MD5 stands first: clients that
 * stop at a first challenge which they do not know are many (RFC 8760 would have it last).
 */
export function createChallenges(options: Omit<ChallengeOptions, "algorithm">): string[] {
  return [
    createChallenge({ ...options, algorithm: "MD5" }),
    createChallenge({ ...options, algorithm: "SHA-256" }),
  ];
}
