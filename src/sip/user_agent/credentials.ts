import { answerChallenge, chooseChallenge } from "../auth/mod.ts";
import type { SipRequest, SipResponse } from "../message/mod.ts";

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** A header for the repeated request, and whether the first one failed by a stale nonce only. */
export interface Authorization {
  readonly header: readonly [name: string, value: string];
  readonly stale: boolean;
}

/** Answers a 401 or 407 (RFC 3261 22); undefined where it can't be answered. */
export function authorize(
  request: SipRequest,
  response: SipResponse,
  credentials: Credentials | null,
  cnonce: string,
): Authorization | undefined {
  const { status } = response;
  if (!credentials || (status !== 401 && status !== 407)) return undefined;
  const isProxy = status === 407;
  const challenge = chooseChallenge(
    response.headers.getAll(isProxy ? "Proxy-Authenticate" : "WWW-Authenticate"),
  );
  if (!challenge) return undefined;
  const answer = answerChallenge({
    challenge,
    method: request.method,
    uri: request.uri,
    username: credentials.username,
    password: credentials.password,
    cnonce,
    nonceCount: 1,
  });
  if (!answer.ok) return undefined;
  const name = isProxy ? "Proxy-Authorization" : "Authorization";
  return { header: [name, answer.value], stale: challenge.stale };
}
