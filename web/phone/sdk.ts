/// <reference lib="dom" />
/** The part of the official Web SDK (global `Flashphoner`, 2.0.276) that this page uses. */

export type SdkCallStatus =
  | "NEW"
  | "PENDING"
  | "TRYING"
  | "RING"
  | "RING_MEDIA"
  | "SESSION_PROGRESS"
  | "ESTABLISHED"
  | "HOLD"
  | "FINISH"
  | "BUSY"
  | "FAILED";

export const CALL_STATUSES: readonly SdkCallStatus[] = [
  "PENDING",
  "TRYING",
  "RING",
  "RING_MEDIA",
  "SESSION_PROGRESS",
  "ESTABLISHED",
  "HOLD",
  "FINISH",
  "BUSY",
  "FAILED",
];

/** Objects, never `true`: the SDK writes the device of a later switch into them. */
export interface SdkConstraints {
  readonly audio: MediaTrackConstraints;
  readonly video: MediaTrackConstraints | false;
}

export interface SdkMediaOptions {
  readonly localVideoDisplay: HTMLElement;
  readonly remoteVideoDisplay: HTMLElement;
  readonly constraints: SdkConstraints;
  readonly receiveAudio: boolean;
  readonly receiveVideo: boolean;
}

export interface SdkCall {
  id(): string;
  status(): SdkCallStatus;
  caller(): string | undefined;
  callee(): string | undefined;
  visibleName(): string | undefined;
  getErrorInfo(): string | undefined;
  call(): void;
  answer(options: SdkMediaOptions): void;
  hangup(): void;
  hold(): void;
  unhold(): void;
  /** @param type how the digits travel; `RFC2833` where absent */
  sendDTMF(digits: string, type?: "RFC2833" | "INFO" | "INFO_RELAY"): void;
  /** Asks that the other side is joined with `target`: then this call ends. */
  transfer(target: string): void;
  switchMic(deviceId: string): Promise<unknown>;
  switchCam(deviceId: string): Promise<unknown>;
  setAudioOutputId(deviceId: string): Promise<unknown> | undefined;
  /** With `true`: the browser's own reports, listed by their type. */
  getStats(callback: (stats: Record<string, unknown>) => void, isNative: true): void;
  on(status: SdkCallStatus, listener: (call: SdkCall) => void): SdkCall;
}

/** What the server sent with `getUserData`. */
export interface SdkConnection {
  readonly authToken?: string;
  readonly sipLogin?: string;
}

/** `fail`: the server's words for something that went wrong. */
export interface SdkFailure {
  readonly apiMethod?: string;
  readonly id?: string;
  readonly status?: string;
  readonly info?: string;
  readonly sipStatus?: number;
}

export interface SdkSession {
  createCall(
    options: SdkMediaOptions & { readonly callee: string; readonly visibleName: string },
  ): SdkCall;
  disconnect(): void;
  on(
    status: "ESTABLISHED" | "REGISTERED" | "DISCONNECTED" | "FAILED",
    listener: (session: SdkSession, connection?: SdkConnection) => void,
  ): SdkSession;
  on(status: "INCOMING_CALL", listener: (call: SdkCall) => void): SdkSession;
  on(status: "WARN", listener: (failure: SdkFailure) => void): SdkSession;
}

export interface SdkSessionOptions {
  readonly urlServer: string;
  readonly keepAlive: boolean;
  readonly timeout: number;
  readonly receiveProbes: number;
  readonly probesInterval: number;
  readonly authToken?: string;
  readonly sipOptions?: {
    readonly login: string;
    readonly authenticationName: string;
    readonly password: string;
    readonly domain: string;
    readonly outboundProxy: string;
    readonly port: string;
    readonly registerRequired: boolean;
  };
}

export interface Sdk {
  init(options: { readonly createMicGainNode: boolean }): Promise<void>;
  createSession(options: SdkSessionOptions): SdkSession;
  getMediaAccess(constraints: SdkConstraints, display: HTMLElement): Promise<HTMLElement>;
}

export function findSdk(): Sdk | undefined {
  return (globalThis as { Flashphoner?: Sdk }).Flashphoner;
}

/** One message of the server, as far as it is read here. */
export interface ServerMessage {
  readonly name: string;
  readonly first: Readonly<Record<string, unknown>>;
}

/**
 * Lets `listener` read what the server sends on the socket that `create` opens. The SDK hands calls
 * neither the SIP status of their end nor whether an incoming one has video; both stand in its
 * messages. The listener runs before the SDK's own handler.
 */
export function withTappedSocket<T>(
  listener: (message: ServerMessage) => void,
  create: () => T,
): T {
  const Plain = globalThis.WebSocket;
  class Tapped extends Plain {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      this.addEventListener("message", (event: MessageEvent) => {
        const message = readMessage(event.data);
        if (message !== undefined) listener(message);
      });
    }
  }
  globalThis.WebSocket = Tapped as typeof WebSocket;
  try {
    return create();
  } finally {
    globalThis.WebSocket = Plain;
  }
}

/** Undefined for what is no message with an object as first argument. */
export function readMessage(frame: unknown): ServerMessage | undefined {
  if (typeof frame !== "string") return undefined;
  try {
    const parsed: unknown = JSON.parse(frame);
    if (typeof parsed !== "object" || parsed === null) return undefined;
    const { message, data } = parsed as { message?: unknown; data?: unknown };
    const first: unknown = Array.isArray(data) ? data[0] : undefined;
    if (typeof message !== "string" || typeof first !== "object" || first === null) {
      return undefined;
    }
    return { name: message, first: first as Record<string, unknown> };
  } catch {
    return undefined;
  }
}
