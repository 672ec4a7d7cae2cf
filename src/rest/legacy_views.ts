import type {
  CallState,
  CallView,
  ControlPlane,
  Page,
  PageQuery,
  SessionView,
} from "../actors/control_plane.ts";

/** Our views in the Web Call Server's words: the objects that its REST calls answer with. */

/** All members are always there; what we do not have is null. */
export type LegacyObject = Readonly<Record<string, unknown>>;

const STATUS: Readonly<Record<Exclude<CallState, "ended">, { status: string; sipStatus: number }>> =
  {
    trying: { status: "TRYING", sipStatus: 100 },
    ringing: { status: "RING", sipStatus: 180 },
    active: { status: "ESTABLISHED", sipStatus: 200 },
    held: { status: "HOLD", sipStatus: 200 },
    ending: { status: "FINISH", sipStatus: 200 },
  };

function status(call: CallView): { status: string; sipStatus: number } {
  if (call.state !== "ended") return STATUS[call.state];
  const end = call.termination;
  if (end?.reason === "busy") return { status: "BUSY", sipStatus: end.sipStatus };
  const isFailure = end !== null && end.result !== "success";
  return { status: isFailure ? "FAILED" : "FINISH", sipStatus: end?.sipStatus ?? 200 };
}

export function toLegacyCall(call: CallView): LegacyObject {
  return {
    custom: call.custom ?? {},
    nodeId: null,
    appKey: null,
    sessionId: call.sessionId,
    callId: call.id,
    parentCallId: null,
    incoming: call.direction === "inbound",
    ...status(call),
    rtmpUrl: null,
    rtmpStream: null,
    streamName: null,
    rtmpStreamStatus: null,
    caller: call.caller,
    callee: call.callee,
    hasAudio: call.hasAudio,
    hasVideo: call.hasVideo,
    sdp: null,
    visibleName: call.visibleName,
    inviteParameters: call.inviteParameters,
    mediaProvider: "WebRTC",
    sipMessageRaw: null,
    isMsrp: false,
    target: null,
    holdForTransfer: false,
  };
}

const SESSION_STATUS: Readonly<Record<SessionView["state"], string>> = {
  connecting: "PENDING",
  established: "ESTABLISHED",
  registered: "REGISTERED",
  detached: "DISCONNECTED",
  ended: "DISCONNECTED",
};

export function toLegacyConnection(session: SessionView): LegacyObject {
  return {
    nodeId: null,
    appKey: null,
    sessionId: session.id,
    status: SESSION_STATUS[session.state],
    sipLogin: session.login,
    sipDomain: session.domain,
    sipPort: session.port,
    clientAddress: session.remoteAddress,
    clientVersion: session.client,
    mediaProviders: ["WebRTC"],
    created: session.since,
    custom: {},
  };
}

const PAGE = 1000;

/** All items of a paged view. */
export function* everyItem<T>(read: (query: PageQuery) => Page<T>): Generator<T> {
  let cursor: string | null | undefined;
  do {
    const page: Page<T> = read({ limit: PAGE, ...(cursor ? { cursor } : {}) });
    yield* page.items;
    cursor = page.next;
  } while (cursor);
}

/** The live calls in full. */
export function* liveCalls(plane: ControlPlane): Generator<CallView> {
  for (const summary of everyItem((query) => plane.calls(query))) {
    const call = plane.call(summary.id);
    if (call) yield call;
  }
}

/**
 * True where `object` has each of the filter's values. Values may be strings (`"true"`, `"5060"`);
 * null asks for nothing; objects (custom) are compared as JSON.
 */
export function fits(object: LegacyObject, filter: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(filter).every(([name, wanted]) =>
    wanted === null || wanted === undefined || asText(object[name]) === asText(wanted)
  );
}

function asText(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
