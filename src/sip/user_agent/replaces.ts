import { err, ok, type Result } from "../../core/result.ts";
import type { SipRequest } from "../message/mod.ts";

/** A dialog that an INVITE wants to take the place of (RFC 3891 6.1). */
export interface Replaces {
  readonly callId: string;
  /** Seen from whoever receives the INVITE. */
  readonly localTag: string;
  readonly remoteTag: string;
  readonly earlyOnly: boolean;
}

/** The Replaces header of an INVITE; null where there is none, a fault is a 400. */
export function readReplaces(invite: SipRequest): Result<Replaces | null, string> {
  const fields = invite.headers.fields("Replaces");
  if (fields.length === 0) return ok(null);
  const [callId = "", ...params] = fields[0]!.value.split(";").map((part) => part.trim());
  const of = (name: string) =>
    params.find((param) => param.toLowerCase().startsWith(`${name}=`))?.slice(name.length + 1);
  const localTag = of("to-tag");
  const remoteTag = of("from-tag");
  if (fields.length > 1 || callId === "" || localTag === undefined || remoteTag === undefined) {
    return err("Replaces wants one Call-ID, to-tag and from-tag");
  }
  const earlyOnly = params.some((param) => param.toLowerCase() === "early-only");
  return ok({ callId, localTag, remoteTag, earlyOnly });
}
