/**
 * How a call ended, in one value: for the operator's view, the client's status, the SIP message
 * that says so, and a person.
 */

/** Who is to blame, if anybody. */
export type TerminationResult = "success" | "client" | "server" | "upstream";

/** Short, stable slugs; part of the API. */
export type TerminationReason =
  | "hangup"
  | "remote_hangup"
  | "transferred"
  | "cancelled"
  | "rejected"
  | "busy"
  | "not_found"
  | "unavailable"
  | "ring_timeout"
  | "media_timeout"
  | "media_silent"
  | "no_common_codec"
  | "answered_elsewhere"
  | "session_lost"
  | "session_expired"
  | "worker_lost"
  | "forbidden"
  | "bad_request"
  | "upstream_error"
  | "request_timeout"
  | "operator"
  | "shutdown"
  | "internal_error";

export interface Termination {
  readonly result: TerminationResult;
  readonly reason: TerminationReason;
  /** SIP status that ended the call: of the final response, or 200 where a BYE did. */
  readonly sipStatus: number;
  /** Which side ended it. */
  readonly by: "local" | "remote" | "server" | "operator";
  /** One sentence for a person. */
  readonly text: string;
}

interface Rule {
  readonly result: TerminationResult;
  readonly sipStatus: number;
  readonly by: Termination["by"];
  readonly text: string;
}

const RULES: Readonly<Record<TerminationReason, Rule>> = {
  hangup: { result: "success", sipStatus: 200, by: "local", text: "This side hung up" },
  remote_hangup: {
    result: "success",
    sipStatus: 200,
    by: "remote",
    text: "The other side hung up",
  },
  transferred: {
    result: "success",
    sipStatus: 200,
    by: "local",
    text: "The other side was handed on to somebody else",
  },
  cancelled: {
    result: "success",
    sipStatus: 487,
    by: "local",
    text: "The caller gave up before anybody answered",
  },
  rejected: { result: "success", sipStatus: 603, by: "remote", text: "The callee declined" },
  busy: { result: "success", sipStatus: 486, by: "remote", text: "The callee is busy" },
  not_found: {
    result: "client",
    sipStatus: 404,
    by: "server",
    text: "Nobody of that name is known",
  },
  unavailable: {
    result: "client",
    sipStatus: 480,
    by: "server",
    text: "Nobody of that name is online",
  },
  ring_timeout: {
    result: "client",
    sipStatus: 480,
    by: "server",
    text: "Nobody answered in time",
  },
  media_timeout: {
    result: "client",
    sipStatus: 200,
    by: "server",
    text: "No media connection came about between browser and server",
  },
  media_silent: {
    result: "client",
    sipStatus: 200,
    by: "server",
    text: "No media arrived any more",
  },
  no_common_codec: {
    result: "client",
    sipStatus: 488,
    by: "server",
    text: "The two sides have no codec in common",
  },
  answered_elsewhere: {
    result: "success",
    sipStatus: 487,
    by: "remote",
    text: "The call was answered at another place",
  },
  session_lost: {
    result: "client",
    sipStatus: 200,
    by: "local",
    text: "The connection to the client was lost",
  },
  session_expired: {
    result: "upstream",
    sipStatus: 200,
    by: "server",
    text: "The other side refreshed the call no longer",
  },
  worker_lost: {
    result: "server",
    sipStatus: 500,
    by: "server",
    text: "The media worker of this call died",
  },
  forbidden: { result: "client", sipStatus: 403, by: "server", text: "The call is not allowed" },
  bad_request: {
    result: "client",
    sipStatus: 400,
    by: "server",
    text: "The request could not be understood",
  },
  upstream_error: {
    result: "upstream",
    sipStatus: 500,
    by: "remote",
    text: "The next server could not place the call",
  },
  request_timeout: {
    result: "upstream",
    sipStatus: 408,
    by: "server",
    text: "The other side did not answer the request",
  },
  operator: {
    result: "success",
    sipStatus: 200,
    by: "operator",
    text: "An operator ended the call",
  },
  shutdown: { result: "server", sipStatus: 200, by: "server", text: "The server is shutting down" },
  internal_error: {
    result: "server",
    sipStatus: 500,
    by: "server",
    text: "A fault in the server ended the call",
  },
};

/** All reasons, in the order of their rules. */
export const TERMINATION_REASONS = Object.keys(RULES) as readonly TerminationReason[];

/** The termination of a reason, with what this very end knows better than the rule. */
export function termination(
  reason: TerminationReason,
  better: Partial<Omit<Termination, "reason">> = {},
): Termination {
  return { ...RULES[reason], reason, ...better };
}

/** What a final response to an INVITE means for the call that sent it (RFC 3261 21). */
export function terminationOfStatus(status: number, reasonPhrase: string): Termination {
  const better = { sipStatus: status, by: "remote" } as const;
  switch (status) {
    case 404:
    case 604:
      return termination("not_found", better);
    case 480:
    case 410:
      return termination("unavailable", better);
    case 408:
      return termination("request_timeout", better);
    case 486:
    case 600:
      return termination("busy", better);
    case 603:
      return termination("rejected", better);
    case 487:
      return termination("cancelled", better);
    case 401:
    case 403:
    case 407:
      return termination("forbidden", { ...better, text: `The call was refused: ${reasonPhrase}` });
    case 415:
    case 488:
    case 606:
      return termination("no_common_codec", better);
    default:
      return status < 500
        ? termination("bad_request", { ...better, text: `The call was refused: ${reasonPhrase}` })
        : termination("upstream_error", {
          ...better,
          text: `The next server answered ${status} ${reasonPhrase}`,
        });
  }
}
