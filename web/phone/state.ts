/** What the phone page shows. Plain values only; the SDK's objects stay in `phone.ts`. */

export type LineState =
  /** Not connected. */
  | "offline"
  | "connecting"
  /** Connected, but the registration that was asked for is not there yet. */
  | "registering"
  | "online"
  /** Was online; the connection broke. */
  | "lost";

export type CallPhase =
  /** Waiting for microphone and camera, or for the server's first word. */
  | "starting"
  | "calling"
  | "ringing"
  | "incoming"
  | "answering"
  | "active"
  | "held"
  | "ending";

export interface CallState {
  /** Ours; the SDK's call id is another. */
  readonly key: number;
  readonly direction: "inbound" | "outbound";
  /** Login of the other one. */
  readonly peer: string;
  readonly phase: CallPhase;
  /** The caller offers video, or we asked for it. */
  readonly hasVideo: boolean;
  readonly hasCamera: boolean;
  readonly isMuted: boolean;
  readonly isCameraOff: boolean;
  readonly isHoldPending: boolean;
  /** Milliseconds since the epoch; null before the answer. */
  readonly connectedAt: number | null;
  readonly quality: Quality | null;
  /** Nothing arrives any more although something did: the other side may hold this one. */
  readonly isSilent: boolean;
  /** Digits sent so far. */
  readonly digits: string;
  /** To whom the other side is being handed on; null: to nobody. */
  readonly transferTo: string | null;
}

/** Of what arrives here. */
export interface Quality {
  readonly codecs: readonly string[];
  readonly packets: number;
  readonly lossPercent: number;
  readonly roundTripMs: number | null;
}

export type NoticeAction =
  | { readonly kind: "reconnect"; readonly label: string }
  | { readonly kind: "secure-page"; readonly label: string; readonly href: string }
  | { readonly kind: "call-again"; readonly label: string; readonly callee: string };

export interface Notice {
  readonly kind: "error" | "warning" | "info";
  readonly text: string;
  /** What to do about it. */
  readonly hint?: string;
  readonly action?: NoticeAction;
  /** What to do about it is among the fields of the connection: they unfold. */
  readonly opensConnection?: true;
}

export interface PhoneState {
  readonly line: LineState;
  readonly me: string;
  readonly authToken: string;
  readonly calls: readonly CallState[];
  /** The call on the stage; others wait (held) or ring. */
  readonly activeKey: number | null;
  readonly notice: Notice | null;
}

export const INITIAL_STATE: PhoneState = {
  line: "offline",
  me: "",
  authToken: "",
  calls: [],
  activeKey: null,
  notice: null,
};

export function isOnline(line: LineState): boolean {
  return line === "online" || line === "registering";
}

/** A call that has the stage: everything but one that only rings here. */
export function stageCall(state: PhoneState): CallState | undefined {
  return state.calls.find((call) => call.key === state.activeKey);
}

export function ringingCalls(state: PhoneState): readonly CallState[] {
  return state.calls.filter((call) => call.phase === "incoming" && call.key !== state.activeKey);
}

/** Calls that wait in the background. */
export function waitingCalls(state: PhoneState): readonly CallState[] {
  return state.calls.filter((call) => call.phase !== "incoming" && call.key !== state.activeKey);
}
