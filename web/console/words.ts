import type {
  CallSummary,
  CallView,
  CodecWorkerView,
  MediaWorkerView,
  OutsideView,
  SessionView,
  SipLegView,
  TranscodingView,
  TransferView,
  TrunkView,
  WebrtcLegView,
} from "../../src/actors/control_plane.ts";

/** Glossary words in the language of the page. Pure. */

const CALL_STATES: Readonly<Record<CallSummary["state"], string>> = {
  trying: "Trying",
  ringing: "Ringing",
  active: "Active",
  held: "On hold",
  ending: "Ending",
  ended: "Ended",
};

const SESSION_STATES: Readonly<Record<SessionView["state"], string>> = {
  connecting: "Connecting",
  established: "Connected",
  registered: "Registered",
  detached: "Away",
  ended: "Ended",
};

export function callStateWords(state: CallSummary["state"]): string {
  return CALL_STATES[state];
}

export function sessionStateWords(state: SessionView["state"]): string {
  return SESSION_STATES[state];
}

/** How many sessions wait for their page to come back; undefined: none. */
export function awayWords(count: number): string | undefined {
  return count === 0 ? undefined : `${count} away`;
}

/** What becomes of a session's registration at a server of others. */
export function outsideWords({ server, registration, reason }: OutsideView): string {
  switch (registration) {
    case "none":
      return `calls by ${server}, not registered there`;
    case "registering":
      return `registering at ${server}`;
    case "registered":
      return `registered at ${server}`;
    case "failing":
      return `no longer registered at ${server}: ${reason ?? "no answer"}; trying again`;
  }
}

const ICE: Readonly<Record<WebrtcLegView["ice"], string>> = {
  new: "not begun",
  checking: "checking",
  connected: "connected",
  disconnected: "disconnected",
  closed: "closed",
};

const DTLS: Readonly<Record<WebrtcLegView["dtls"], string>> = {
  new: "not begun",
  handshaking: "handshaking",
  connected: "connected",
  failed: "failed",
  closed: "closed",
};

export function iceWords(leg: WebrtcLegView): string {
  return ICE[leg.ice];
}

export function dtlsWords(leg: WebrtcLegView): string {
  return DTLS[leg.dtls];
}

export function dialogWords(leg: SipLegView): string {
  return leg.dialogState === "none" ? "not begun" : leg.dialogState;
}

/** A transfer, as far as it has come. */
export function transferWords({ role, target, status, sipStatus }: TransferView): string {
  const whose = role === "requested"
    ? `to ${target} asked for`
    : role === "bridging"
    ? `handed on to ${target}`
    : `joined with ${target}`;
  switch (status) {
    case "trying":
      return role === "replacing" ? `${target} is taking over` : `${target} is being called`;
    case "ringing":
      return `${target} rings`;
    case "completed":
      return whose;
    case "failed":
      return `to ${target} failed${sipStatus === null ? "" : ` (${sipStatus})`}`;
  }
}

/** Who holds whom in a call of `owner` with `other`; empty where nobody holds. */
export function holdWords(hold: CallView["hold"], owner: string, other: string): string {
  if (hold.local && hold.remote) return `${owner} and ${other} hold each other`;
  if (hold.local) return `${owner} holds ${other}`;
  return hold.remote ? `${other} holds ${owner}` : "";
}

/** How audio is translated between two codecs, where, and what that costs. */
export function transcodingWords(view: TranscodingView): string {
  const { from, to, worker, delayMs, concealedMs, recovered } = view;
  const parts = [
    // The codec's own name is written small, as in lists of codecs.
    `${from} ↔ ${to}`.replace(/\bOPUS\b/g, "opus"),
    ...(worker === null ? [] : [`by worker ${worker}`]),
    ...(delayMs === null ? [] : [`${delayMs} ms buffer`]),
    ...(concealedMs === 0 ? [] : [`${concealedMs.toLocaleString("en")} ms made up`]),
    ...(recovered === 0 ? [] : [`${recovered.toLocaleString("en")} packets recovered`]),
  ];
  return parts.join(", ");
}

/** The way that a side's media takes, or took. */
export function mediaWayWords(
  media: { readonly kind: "webrtc" | "rtp" | "direct"; readonly worker: number | null },
  isSecure: boolean,
  isOver: boolean,
): string {
  const over = isOver ? "over; it was " : "";
  if (media.kind === "direct") return `${over}direct, past this server`;
  if (media.worker === null) return isOver ? "over; there was none" : "not there yet";
  const way = `relayed by worker ${media.worker}`;
  return `${over}${way}, ${isSecure ? "encrypted" : "not encrypted"}`;
}

const WORKER_STATES: Readonly<Record<MediaWorkerView["state"], string>> = {
  starting: "Starting",
  running: "Running",
  restarting: "Restarting",
  stopped: "Given up",
};

export function workerStateWords(state: MediaWorkerView["state"]): string {
  return WORKER_STATES[state];
}

/** What a worker is called, as in the log, and what it has to do. */
export function workerWords(worker: MediaWorkerView | CodecWorkerView) {
  const many = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`;
  return worker.kind === "media"
    ? { name: `media ${worker.id}`, what: many(worker.endpoints, "endpoint"), isMedia: true }
    : {
      name: worker.name,
      what: `${many(worker.transcodings, "transcoding")}${worker.isFull ? ", full" : ""}`,
      isMedia: false,
    };
}

export function trunkStateWords({ state, isRegistered }: TrunkView): string {
  if (state === "starting") return "Starting";
  if (state === "down") return "Down";
  return isRegistered ? "Up, registered" : "Up";
}

/** The other party of a call, seen from its owner. */
export function otherOf(call: CallSummary | CallView): string {
  return call.direction === "outbound" || call.direction === "transit" ? call.callee : call.caller;
}

/** Who this call belongs to: the caller's client, or the callee's. */
export function ownerOf(call: CallSummary | CallView): string {
  return call.direction === "inbound" ? call.callee : call.caller;
}

/**
 * A client tells what it is by a user agent string; its last known product is enough for a list.
 */
export function clientWords(client: string): string {
  const known = [...client.matchAll(/(Firefox|Edg|OPR|Chrome|Safari|Android|iOS)\/?([\d]*)/g)];
  const browser = ["Edg", "OPR", "Firefox", "Chrome", "Safari"]
    .map((name) => known.find((match) => match[1] === name))
    .find((match) => match !== undefined);
  if (browser === undefined) return client.length > 40 ? `${client.slice(0, 40)}…` : client;
  const name = browser[1] === "Edg" ? "Edge" : browser[1] === "OPR" ? "Opera" : browser[1];
  return `${name} ${browser[2] ?? ""}`.trim();
}

/** How a conversation ended, with names in place of sides. */
export function endingWords(call: CallSummary): string {
  const { termination, caller, callee, direction } = call;
  if (termination === null) return "Ended";
  const [local, remote] = direction === "inbound" ? [callee, caller] : [caller, callee];
  switch (termination.reason) {
    case "hangup":
      // Between two phones the server does not tell which of them it was.
      return direction === "transit" ? termination.text : `${local} hung up`;
    case "remote_hangup":
      return `${remote} hung up`;
    case "session_lost":
      return `The connection to ${local} was lost`;
    case "transferred":
      return `${local} handed ${remote} on`;
    case "cancelled":
      return `${caller} gave up before anybody answered`;
    case "rejected":
      return `${callee} declined`;
    case "busy":
      return `${callee} is busy`;
    case "ring_timeout":
      return `${callee} did not answer in time`;
    case "not_found":
      return `Nobody is named ${callee}`;
    case "unavailable":
      return `${callee} is not online`;
    default:
      return termination.text;
  }
}
