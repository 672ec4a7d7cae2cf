import { z } from "zod";
import type {
  AccountView,
  CallSummary,
  CallView,
  CodecWorkerView,
  ControlPlane,
  DomainEvent,
  HealthView,
  LadderView,
  MediaWorkerView,
  ProtectionView,
  RegistrationView,
  SessionView,
} from "../actors/control_plane.ts";

/**
 * The views of the API as schemas: what `/api/openapi.json` describes and the tests hold the
 * answers against. That they fit the control plane's types is checked by the compiler at the end of
 * this file.
 */

const time = () => z.iso.datetime();
const count = () => z.int().min(0);

const codec = z.object({
  codec: z.string(),
  available: z.boolean(),
  library: z.string().nullable(),
  why: z.string().nullable().meta({ description: "Why it, or its best library, is missing." }),
}).meta({ id: "Codec", description: "A codec of the transcoders." });

export const health = z.object({
  status: z.enum(["ok", "degraded"]),
  reasons: z.array(z.string()).readonly().meta({ description: "Why it is degraded." }),
  version: z.string(),
  startedAt: time(),
  uptimeSeconds: z.number().min(0),
  sessions: count(),
  sessionsAway: count().meta({
    description: "Of the sessions: those whose connection is gone, kept a while for their client.",
  }),
  calls: count(),
  workers: z.object({
    running: count(),
    total: count(),
    adopting: count().meta({
      description: "Workers whose calls outlive them: with the fast shell all, else none.",
    }),
    adoptions: count().meta({
      description: "How often one went on with the calls of another, since the start.",
    }),
  }),
  codecs: z.array(codec).readonly().meta({
    description: "What calls without a common codec are transcoded by; empty where that is off.",
  }),
}).meta({ id: "Health", description: "The state of the server as a whole." });

export const sessionState = z.enum([
  "connecting",
  "established",
  "registered",
  "detached",
  "ended",
]);

const outside = z.object({
  server: z.string(),
  registration: z.enum(["none", "registering", "registered", "failing"]).meta({
    description: "`none`: it calls without; `failing`: it was registered, and is tried again.",
  }),
  reason: z.string().nullable().meta({ description: "Why it fails." }),
}).meta({ id: "Outside", description: "A session's registration at a server of others." });

export const session = z.object({
  id: z.string(),
  login: z.string(),
  domain: z.string(),
  port: z.int().meta({ description: "SIP port of the login; 0 is SIP Port 0." }),
  state: sessionState,
  since: time().meta({ description: "When the present state began." }),
  remoteAddress: z.string().nullable(),
  client: z.string(),
  calls: count(),
  outside: outside.nullable().meta({ description: "Null: a client of this server." }),
}).meta({ id: "Session", description: "A client's connection; a SIP user agent." });

const termination = z.object({
  result: z.enum(["success", "client", "server", "upstream"]),
  reason: z.enum([
    "hangup",
    "remote_hangup",
    "transferred",
    "cancelled",
    "rejected",
    "busy",
    "not_found",
    "unavailable",
    "ring_timeout",
    "media_timeout",
    "media_silent",
    "no_common_codec",
    "answered_elsewhere",
    "session_lost",
    "session_expired",
    "worker_lost",
    "forbidden",
    "bad_request",
    "upstream_error",
    "request_timeout",
    "operator",
    "shutdown",
    "internal_error",
  ]),
  sipStatus: z.int(),
  by: z.enum(["local", "remote", "server", "operator"]),
  text: z.string().meta({ description: "How the call ended, in a sentence for a person." }),
}).meta({ id: "Termination", description: "How a call ended." });

export const callState = z.enum(["trying", "ringing", "active", "held", "ending", "ended"]);

const callSummaryFields = {
  id: z.string(),
  sessionId: z.string().meta({ description: "Empty for a transit call." }),
  direction: z.enum(["inbound", "outbound", "transit"]).meta({
    description: "`transit`: between two SIP phones or servers, through our proxy.",
  }),
  caller: z.string(),
  callee: z.string(),
  state: callState,
  since: time().meta({ description: "When the present state began." }),
  startedAt: time(),
  sipCallId: z.string(),
  codecs: z.array(z.string()).readonly().meta({ description: "Negotiated, audio first." }),
  peerCallId: z.string().nullable().meta({ description: "The other client's call, where ours." }),
  lossPercent: z.number().min(0).max(100),
  termination: termination.nullable(),
};

export const callSummary = z.object(callSummaryFields)
  .meta({ id: "CallSummary", description: "One client's call, as in lists." });

const statistics = z.object({
  receivePackets: count(),
  receiveBytes: count(),
  receiveLost: z.int().meta({ description: "RFC 3550 A.3; negative where packets came twice." }),
  jitterMs: z.number(),
  sendPackets: count(),
  sendBytes: count(),
  dropped: count(),
  roundTripMs: z.number().nullable(),
  audioCodec: z.string().nullable(),
  videoCodec: z.string().nullable(),
}).meta({ id: "LegStatistics", description: "`receive` is from the far end, `send` is to it." });

const transcoding = z.object({
  from: z.string().meta({ description: "What this leg's phone or browser sends and hears." }),
  to: z.string().meta({ description: "What the other side does." }),
  worker: z.string().nullable().meta({
    description: "Name of the codec worker that does it, as in the log.",
  }),
  delayMs: count().nullable().meta({ description: "Wait in the jitter buffer, ms." }),
  concealedMs: count().meta({ description: "Audio made up for what was lost or late, ms." }),
  recovered: count().meta({ description: "Lost packets that redundancy in others brought back." }),
}).meta({ id: "Transcoding", description: "A transcoder between a leg and its far side." });

const webrtcLeg = z.object({
  kind: z.literal("webrtc"),
  codecs: z.array(z.string()).readonly(),
  ice: z.enum(["new", "checking", "connected", "disconnected", "closed"]).meta({
    description: "`closed`: the call is over. One that never began, or was lost, still says so.",
  }),
  dtls: z.enum(["new", "handshaking", "connected", "failed", "closed"]),
  remoteAddress: z.string().nullable(),
  worker: z.int().nullable(),
  transcoding: transcoding.nullable(),
  statistics: statistics.nullable(),
}).meta({ id: "WebrtcLeg", description: "The client's side of a call." });

const sipMedia = z.object({
  kind: z.enum(["rtp", "webrtc", "direct"]),
  codecs: z.array(z.string()).readonly(),
  remoteAddress: z.string().nullable(),
  localAddress: z.string().nullable(),
  worker: z.int().nullable(),
  isSecure: z.boolean(),
  transcoding: transcoding.nullable(),
  statistics: statistics.nullable(),
}).meta({ id: "SipMedia", description: "Media of a SIP leg; `direct` passes by this server." });

const sipLeg = z.object({
  kind: z.literal("sip"),
  dialogState: z.enum(["none", "early", "confirmed", "terminated"]),
  localTag: z.string(),
  remoteTag: z.string().nullable(),
  localUri: z.string(),
  remoteUri: z.string(),
  nextHop: z.string(),
  codecs: z.array(z.string()).readonly(),
  media: sipMedia.nullable().exactOptional(),
}).meta({ id: "SipLeg", description: "The SIP side of a call: an RFC 3261 dialog." });

export const dtmfMethod = z.enum(["RFC2833", "INFO", "INFO_RELAY"]);

const dtmf = z.object({
  digit: z.string(),
  at: time(),
  from: z.string().meta({ description: "Who pressed it." }),
  method: dtmfMethod,
}).meta({ id: "Dtmf", description: "A digit that the far side pressed." });

const transfer = z.object({
  role: z.enum(["requested", "dialling", "replacing", "bridging"]).meta({
    description: "`requested`: the far party is to call the target; `dialling`: this call's user " +
      "is joined with it; `replacing`: the target has called in the far party's place; " +
      "`bridging`: the server itself joins target and far party, who knows no REFER.",
  }),
  target: z.string(),
  status: z.enum(["trying", "ringing", "completed", "failed"]),
  sipStatus: z.int().nullable(),
}).meta({ id: "Transfer", description: "A transfer (RFC 3515, RFC 3891)." });

export const call = z.object({
  ...callSummaryFields,
  sipCallIds: z.array(z.string()).readonly().meta({
    description: "All it has had, oldest first; one more with each transfer.",
  }),
  dtmf: z.array(dtmf).readonly().meta({ description: "The last 64." }),
  transfer: transfer.nullable().meta({ description: "The latest one." }),
  hasAudio: z.boolean(),
  hasVideo: z.boolean(),
  visibleName: z.string(),
  hold: z.object({ local: z.boolean(), remote: z.boolean() }),
  answeredAt: time().nullable(),
  endedAt: time().nullable(),
  legs: z.tuple([z.union([webrtcLeg, sipLeg]), sipLeg]).readonly(),
  warnings: z.array(z.string()).readonly().meta({ description: "What is wrong, in words." }),
  custom: z.unknown().optional(),
  inviteParameters: z.record(z.string(), z.string()).nullable(),
}).meta({ id: "Call", description: "One client's call in full." });

const ladderParty = z.object({
  id: z.string(),
  kind: z.enum(["session", "wire", "server"]),
  name: z.string(),
  transport: z.string().nullable(),
  address: z.string(),
}).meta({ id: "LadderParty", description: "One column of a ladder." });

const ladderMessage = z.object({
  sequence: z.int().meta({ description: "Counts all messages of the process: the true order." }),
  at: time(),
  offsetMs: z.number().meta({ description: "Since the first message of the call." }),
  direction: z.enum(["send", "receive"]).meta({ description: "As the server sees it." }),
  from: z.string().meta({ description: "Id of a party." }),
  to: z.string().meta({ description: "Id of a party." }),
  transport: z.string(),
  localAddress: z.string(),
  remoteAddress: z.string(),
  method: z.string(),
  cseq: z.int().nullable(),
  status: z.int().nullable().meta({ description: "Null: a request." }),
  summary: z.string(),
  hasSdp: z.boolean(),
  note: z.string().exactOptional().meta({
    description: "What its session description means for the call, in words.",
  }),
  text: z.string().meta({ description: "The whole message; secrets are asterisks." }),
}).meta({ id: "LadderMessage", description: "One SIP message." });

export const ladder = z.object({
  callId: z.string(),
  sipCallIds: z.array(z.string()).readonly(),
  dropped: count().meta({ description: "Messages that had to make room." }),
  parties: z.array(ladderParty).readonly(),
  messages: z.array(ladderMessage).readonly(),
}).meta({ id: "Ladder", description: "All SIP messages of a call, both sides, in true order." });

export const registration = z.object({
  aor: z.string(),
  contact: z.string(),
  sessionId: z.string().nullable(),
  source: z.string(),
  transport: z.string(),
  expiresAt: time(),
  userAgent: z.string().nullable(),
}).meta({ id: "Registration", description: "One binding of the registrar (RFC 3261 10)." });

export const account = z.object({
  name: z.string(),
  source: z.enum(["config", "stored"]).meta({
    description: "`config`: from the configuration, and changed there only.",
  }),
  rights: z.array(z.string()).readonly().meta({ description: "Such as `pstn`." }),
  number: z.string().nullable().meta({ description: "Its number on trunks." }),
  bindings: count().meta({ description: "Places where it is registered now." }),
}).meta({ id: "Account", description: "An account of the registrar; its secrets are not shown." });

export const trunk = z.object({
  name: z.string(),
  host: z.string(),
  port: z.int().nullable().meta({ description: "Null: found by DNS." }),
  transport: z.enum(["udp", "tcp", "tls"]),
  priority: z.int().meta({ description: "Lower is tried first." }),
  state: z.enum(["starting", "up", "down"]),
  reason: z.string().nullable().meta({ description: "Why it is down, in words." }),
  since: time(),
  isRegistered: z.boolean(),
  codecs: z.array(z.string()).readonly().nullable().meta({
    description: "The only audio codecs in its calls, preferred first; null: all.",
  }),
  dtmf: z.enum(["rfc2833", "info"]).meta({
    description: "How digits that clients press go to it: telephone-events, or SIP INFO.",
  }),
}).meta({ id: "Trunk", description: "A way to a carrier or a gateway." });

const workerState = z.enum(["starting", "running", "restarting", "stopped"]);

export const mediaWorker = z.object({
  kind: z.literal("media"),
  id: z.int().min(0),
  state: workerState,
  restarts: count(),
  endpoints: count(),
  bridges: count().meta({ description: "Pairs of endpoints that live in two workers." }),
  packets: count(),
  adopts: z.boolean().meta({ description: "Its calls outlive it (fast shell)." }),
  adoptions: count().meta({
    description: "How often it went on with the calls of one that had died or been replaced.",
  }),
  lastGapMs: z.number().nullable().meta({
    description: "How long those calls stood still the last time; null: never.",
  }),
  addresses: z.array(z.string()).readonly(),
  shell: z.string(),
}).meta({ id: "MediaWorker", description: "One worker of the media pool." });

export const codecWorker = z.object({
  kind: z.literal("codec"),
  name: z.string().meta({ description: "As in the log, and in the views of calls." }),
  state: workerState,
  restarts: count(),
  transcodings: count().meta({ description: "Transcoders that are open in it." }),
  load: z.number().min(0).meta({
    description: "Share of the last second that it was busy, 0 to 1.",
  }),
  isFull: z.boolean().meta({ description: "It has all that it can do, and gets no more." }),
}).meta({ id: "CodecWorker", description: "One worker that transcodes." });

export const worker = z.discriminatedUnion("kind", [mediaWorker, codecWorker])
  .meta({ id: "Worker", description: "A worker thread of this server." });

export const eventType = z.enum([
  "session.opened",
  "session.registered",
  "session.detached",
  "session.ended",
  "call.started",
  "call.ringing",
  "call.connected",
  "call.held",
  "call.unheld",
  "call.dtmf",
  "call.transfer",
  "call.ended",
  "trunk.up",
  "trunk.down",
  "worker.started",
  "worker.adopted",
  "worker.replaced",
  "worker.died",
]);

export const domainEvent = z.object({
  sequence: z.int(),
  at: time(),
  type: eventType,
  data: z.record(z.string(), z.unknown()),
}).meta({ id: "Event", description: "A fact, numbered without gaps." });

export const problemBody = z.object({
  type: z.string().meta({ description: "Stable URI of the kind of problem: `/problems/<slug>`." }),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  field: z.string().optional().meta({ description: "The parameter or field at fault." }),
}).meta({ id: "Problem", description: "An error (RFC 9457)." });

export const protectedSource = z.object({
  source: z.string().meta({ description: "An IPv4 address or an IPv6 /64." }),
  state: z.enum(["limited", "blocked", "free"]).meta({
    description: "`limited`: held back within the last minute; `free`: it was before.",
  }),
  reasons: z.array(z.object({ reason: z.string(), count: count() })).readonly(),
  since: time(),
  last: time(),
  until: time().nullable().meta({ description: "End of the block; null: there is none." }),
  calls: count(),
  refused: count().meta({ description: "Requests answered by 503." }),
  dropped: count().meta({ description: "Messages that got no answer." }),
  failurePointsLeft: z.int().min(0),
}).meta({ id: "ProtectedSource", description: "A SIP source that was held back." });

export const protection = z.object({
  overload: z.object({
    active: z.boolean(),
    reasons: z.array(z.string()).readonly(),
    lagMs: z.number().min(0).meta({ description: "How late the event loop was, ms." }),
    transactions: count(),
  }),
  limits: z.object({
    registrationsPerSecond: z.number(),
    requestsPerSecond: z.number(),
    failures: z.number().meta({ description: "Points that a source may lose by failures." }),
    blockSeconds: z.number(),
    calls: count(),
    callsPerSource: count(),
    transactions: count(),
    lagMs: z.number(),
  }),
  calls: count().meta({ description: "Calls that came over wires." }),
  sources: z.array(protectedSource).readonly().meta({ description: "The latest first." }),
  next: z.string().nullable(),
}).meta({ id: "Protection", description: "Limits on SIP's wires, and whom they hold back." });

/** A list of the API: `{"<plural>": [...], "next": cursor or null}`. */
export function listOf<T extends z.ZodType>(plural: string, item: T) {
  return z.object({
    [plural]: z.array(item),
    next: z.string().nullable().meta({ description: "Cursor of the next page; null: the last." }),
  });
}

/** Same keys, and every value of the view is one of the schema. */
type Agrees<View, Schema> = [View] extends [Schema]
  ? [keyof Schema] extends [keyof View] ? [keyof View] extends [keyof Schema] ? true : "missing"
  : "unknown key"
  : "value does not fit";

const agreement: readonly true[] = [
  true satisfies Agrees<HealthView, z.infer<typeof health>>,
  true satisfies Agrees<SessionView, z.infer<typeof session>>,
  true satisfies Agrees<AccountView, z.infer<typeof account>>,
  true satisfies Agrees<CallSummary, z.infer<typeof callSummary>>,
  true satisfies Agrees<CallView, z.infer<typeof call>>,
  true satisfies Agrees<LadderView, z.infer<typeof ladder>>,
  true satisfies Agrees<RegistrationView, z.infer<typeof registration>>,
  true satisfies Agrees<ProtectionView, z.infer<typeof protection>>,
  true satisfies Agrees<ReturnType<ControlPlane["trunks"]>[number], z.infer<typeof trunk>>,
  true satisfies Agrees<MediaWorkerView, z.infer<typeof mediaWorker>>,
  true satisfies Agrees<CodecWorkerView, z.infer<typeof codecWorker>>,
  true satisfies Agrees<DomainEvent, z.infer<typeof domainEvent>>,
];
void agreement;
