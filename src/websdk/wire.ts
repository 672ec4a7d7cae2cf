import * as z from "zod";

/**
 * The JSON messages of the Web SDK 2 and of its Android and iOS sisters: one closed union a
 * direction. `{"message": name, "data": [...]}`, one object a text frame.
 *
 * Reading is tolerant, because three generations of clients speak it: numbers and strings are
 * taken for each other, null for absent, fields that nobody asked for are left out (mobile clients
 * send their whole call object with `answer`, `hold` and `hangup`). Writing is strict.
 */

/** Text, or a number that was meant as text (`sipPort`, `dtmf`, a numeric login). */
const text = z.union([z.string(), z.number().transform(String)], {
  error: "must be text",
});
const optionalText = text.nullish().transform((value) => value ?? undefined);
const textOrEmpty = text.nullish().transform((value) => value ?? "");

/** Longest description, characters; a browser's with video has 10 thousand. */
const MAX_SDP = 64 * 1024;

const sdp = z.string({ error: "must be text" })
  .max(MAX_SDP, { error: `must have at most ${MAX_SDP} characters` })
  .nullish().transform((value) => value ?? "");

/** A boolean, or one in the words of REST examples and old clients. */
const flag = z.union([
  z.boolean(),
  z.literal(["true", "1", 1]).transform(() => true),
  z.literal(["false", "0", 0]).transform(() => false),
  z.literal("").transform(() => undefined),
], { error: "must be true or false" }).nullish().transform((value) => value ?? undefined);

/** Longest call id, characters; the SDKs' own have 18 to 36. */
export const MAX_CALL_ID = 128;

/** UUIDs of version 1 (web) and 4 (Android), and older forms: anything that prints, no blanks. */
const callId = text.refine((value) => value.length <= MAX_CALL_ID && /^[\x21-\x7e]+$/.test(value), {
  error: `must have 1 to ${MAX_CALL_ID} ASCII characters without blanks`,
});

const connection = z.object({
  appKey: optionalText,
  keepAlive: flag,
  authToken: optionalText,
  sipLogin: optionalText,
  sipAuthenticationName: optionalText,
  sipPassword: optionalText,
  sipDomain: optionalText,
  sipOutboundProxy: optionalText,
  sipPort: optionalText,
  sipRegisterRequired: flag,
  sipVisibleName: optionalText,
});

const call = z.object({
  callId,
  /** What the user typed. */
  callee: textOrEmpty,
  sdp,
  /** `PENDING`; anything else: the user gave up before the offer was ready. */
  status: optionalText,
  visibleName: optionalText,
  sipSDP: z.unknown().optional(),
  inviteParameters: z.unknown().optional(),
  custom: z.unknown().optional(),
});

const stream = z.object({ mediaSessionId: textOrEmpty, name: textOrEmpty });

/** Messages that carry nothing for us, or that the protocol's description says to ignore. */
const nothing = z.unknown().optional().transform(() => null);

/** Schema of `data[0]` by message name. */
export const clientSchemas = {
  connection,
  call,
  answer: z.object({ callId, sdp }),
  hangup: z.object({ callId }),
  hold: z.object({ callId, holdForTransfer: flag }),
  unhold: z.object({ callId }),
  sendDtmf: z.object({ callId, type: optionalText, dtmf: textOrEmpty }),
  transfer: z.object({ callId, target: textOrEmpty }),
  ping: nothing,
  pong: nothing,
  publishStream: stream,
  playStream: stream,
  unPublishStream: stream,
  stopStream: stream,
  availableStream: stream,
  sendData: z.object({ operationId: textOrEmpty }),
  connectMediaTransport: nothing,
  pushLogs: nothing,
  submitBugReport: nothing,
  sessionDebug: nothing,
  snapshot: nothing,
  sendStreamEvent: nothing,
  pauseStream: nothing,
  requestStreamInfo: nothing,
  DataStatusEvent: nothing,
  webRTCMetricsClientDescription: nothing,
  webRTCMetricsBatch: nothing,
  subscribeRoom: nothing,
  unsubscribeRoom: nothing,
  sendRoomData: nothing,
} as const;

export type ClientMessageName = keyof typeof clientSchemas;

/** The data of one kind of client message, read and freed of what nobody asked for. */
export type ClientData<N extends ClientMessageName> = z.output<(typeof clientSchemas)[N]>;

type KnownClientMessage = {
  [N in ClientMessageName]: {
    readonly message: N;
    readonly data: ClientData<N>;
    /** The object as it came: `getUserData` gives it back. Only `connection` may look at it. */
    readonly raw: unknown;
  };
}[ClientMessageName];

/** `unknown`: a name that is not in the union; to be ignored. */
export type ClientMessage =
  | KnownClientMessage
  | { readonly message: "unknown"; readonly name: string };

export type ConnectionData = ClientData<"connection">;
export type CallData = ClientData<"call">;

/** `CALL_STATUS` as the server may set it; the status drives the client, not the message's name. */
export const callStatuses = [
  "TRYING",
  "RING",
  "SESSION_PROGRESS",
  "ESTABLISHED",
  "HOLD",
  "FINISH",
  "BUSY",
  "FAILED",
] as const;
export type CallStatus = (typeof callStatuses)[number];

/**
 * The call object of server messages. Strict, because the SDK reads stray keys of
 * `notifyIncomingCall` as options of `createCall`; booleans are never null, because the Android SDK
 * dereferences them.
 */
const callObject = z.strictObject({
  callId: z.string(),
  parentCallId: z.null(),
  incoming: z.boolean(),
  status: z.enum(callStatuses),
  sipStatus: z.int(),
  caller: z.string(),
  callee: z.string(),
  hasAudio: z.boolean(),
  hasVideo: z.boolean(),
  visibleName: z.string(),
  mediaProvider: z.literal("WebRTC"),
  inviteParameters: z.record(z.string(), z.string()).nullable(),
  sipMessageRaw: z.null(),
  isMsrp: z.literal(false),
  info: z.string().optional(),
});

const failure = z.strictObject({
  apiMethod: z.enum(["ConnectionStatusEvent", "RegistrationStatusEvent", "CallStatusEvent"]),
  status: z.enum(["FAILED", "AUTHENTICATION_FAIL"]),
  /** A sentence for a person. */
  info: z.string(),
  /** Wire name of the field at fault. */
  field: z.string().optional(),
  /** The call that is meant, with `CallStatusEvent`. */
  id: z.string().optional(),
  sipStatus: z.int().optional(),
  sipMessageRaw: z.null(),
});

const oneCall = z.tuple([callObject]);

/** Schema of the whole `data` by message name; always an array, or the SDK loses the frame. */
export const serverSchemas = {
  getUserData: z.tuple([
    z.looseObject({
      sipLogin: z.union([z.string(), z.number()]),
      status: z.literal("ESTABLISHED"),
      authToken: z.string(),
      sipPassword: z.undefined().optional(),
    }),
  ]),
  registered: z.tuple([
    z.strictObject({ status: z.literal("REGISTERED"), sipMessageRaw: z.null() }),
  ]),
  fail: z.tuple([failure]),
  ping: z.tuple([z.null()]),
  /** Call id, SDP, and whether the client had offered (then this is the answer). */
  setRemoteSDP: z.tuple([z.string(), z.string(), z.boolean()]),
  notifyTryingResponse: oneCall,
  notifyIncomingCall: oneCall,
  ring: oneCall,
  talk: oneCall,
  hold: oneCall,
  busy: oneCall,
  finish: oneCall,
  notifyStreamStatusEvent: z.tuple([
    z.strictObject({
      mediaSessionId: z.string(),
      name: z.string(),
      published: z.boolean(),
      status: z.enum(["FAILED", "UNPUBLISHED", "STOPPED"]),
      info: z.string().optional(),
    }),
  ]),
  /** `status` is text here. */
  availableStream: z.tuple([
    z.strictObject({ id: z.string(), status: z.literal("false"), info: z.string() }),
  ]),
  DataStatusEvent: z.tuple([
    z.strictObject({ operationId: z.string(), status: z.literal("ACCEPTED") }),
  ]),
} as const;

export type ServerMessageName = keyof typeof serverSchemas;

export type ServerMessage = {
  [N in ServerMessageName]: {
    readonly message: N;
    readonly data: z.output<(typeof serverSchemas)[N]>;
  };
}[ServerMessageName];

export type CallObject = z.output<typeof callObject>;
export type Failure = z.output<typeof failure>;
