import { readFileSync } from "node:fs";
import vm from "node:vm";
import { OFFER } from "./support.ts";

/**
 * The vendor's SDK, unmodified, in a page without a browser: as much of one as signalling needs.
 * Media are the business of the end-to-end tests; here a peer connection keeps its signalling
 * state and nothing else.
 */

export interface SdkSession {
  on(status: string, hear: (value: unknown, more?: unknown) => void): SdkSession;
  createCall(options: Record<string, unknown>): SdkCall;
  disconnect(): void;
}

export interface SdkCall {
  on(status: string, hear: () => void): SdkCall;
  call(): void;
  answer(options: Record<string, unknown>): void;
  hangup(): void;
  hold(): void;
  unhold(): void;
  sendDTMF(digit: string | number, type?: string): void;
  status(): string;
  id(): string;
  caller(): string;
  callee(): string;
  visibleName(): string;
}

export interface Sdk {
  init(options: Record<string, unknown>): Promise<void>;
  createSession(options: Record<string, unknown>): SdkSession;
  constants: {
    SESSION_STATUS: Record<string, string>;
    CALL_STATUS: Record<string, string>;
  };
}

/** The client's end of a socket, as the SDK makes one. */
export class PageSocket {
  static readonly OPEN = 1;
  readyState = 0;
  onopen: () => void = () => {};
  onclose: () => void = () => {};
  onerror: () => void = () => {};
  onmessage: (event: { data: string }) => void = () => {};
  toServer: (text: string) => void = () => {};
  onLeave: () => void = () => {};

  constructor(readonly url: string) {}

  send(text: string): void {
    this.toServer(text);
  }

  close(): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onLeave();
    this.onclose();
  }
}

class PagePeerConnection {
  signalingState = "stable";
  readonly remote: string[] = [];

  createOffer() {
    return Promise.resolve({ type: "offer", sdp: OFFER });
  }
  createAnswer() {
    return Promise.resolve({ type: "answer", sdp: OFFER });
  }
  setLocalDescription({ type }: { type: string }) {
    this.signalingState = type === "offer" ? "have-local-offer" : "stable";
    return Promise.resolve();
  }
  setRemoteDescription({ type, sdp }: { type: string; sdp: string }) {
    this.remote.push(sdp);
    this.signalingState = type === "offer" ? "have-remote-offer" : "stable";
    return Promise.resolve();
  }
  getConfiguration = () => ({ sdpSemantics: "unified-plan" });
  getSenders = () => [];
  getReceivers = () => [];
  getTransceivers = () => [];
  addTrack = () => {};
  addEventListener = () => {};
  close(): void {
    this.signalingState = "closed";
  }
}

function element(): Record<string, unknown> {
  const children: unknown[] = [];
  return {
    children,
    style: {},
    id: "element",
    appendChild: (child: unknown) => children.push(child),
    removeChild: () => {},
    addEventListener: () => {},
    setAttribute: () => {},
    play: () => Promise.resolve(),
    pause: () => {},
  };
}

export interface Page {
  readonly sdk: Sdk;
  /** Every socket that the SDK opened, in order. */
  readonly sockets: PageSocket[];
  readonly peers: PagePeerConnection[];
  /** What a call needs and nobody looks at. */
  readonly displays: { localVideoDisplay: unknown; remoteVideoDisplay: unknown };
  readonly errors: unknown[];
}

/** Loads the SDK of the pinned package into a context of its own. */
export async function openPage(): Promise<Page> {
  const file = new URL(
    "flashphoner-webrtc-only.js",
    import.meta.resolve("@flashphoner/websdk/package.json"),
  );
  const sockets: PageSocket[] = [];
  const peers: PagePeerConnection[] = [];
  const errors: unknown[] = [];
  const quiet = { log() {}, info() {}, warn() {}, debug() {}, error() {} };
  const page: Record<string, unknown> = {
    console: { ...quiet, error: (...words: unknown[]) => errors.push(words) },
    setTimeout,
    clearTimeout,
    setInterval,
    clearInterval,
    Blob,
    crypto,
    WebSocket: class extends PageSocket {
      constructor(url: string) {
        super(url);
        sockets.push(this);
      }
    },
    RTCPeerConnection: class extends PagePeerConnection {
      constructor() {
        super();
        peers.push(this);
      }
    },
    RTCSessionDescription: class {
      constructor(description: object) {
        Object.assign(this, description);
      }
    },
    navigator: {
      userAgent:
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36",
      appVersion: "5.0 (X11; Linux x86_64)",
      getUserMedia: () => {},
      webkitGetUserMedia: () => {},
      mediaDevices: {
        getUserMedia: () => Promise.reject(new Error("no devices")),
        enumerateDevices: () => Promise.resolve([]),
        addEventListener: () => {},
      },
    },
    document: { createElement: element, addEventListener: () => {}, getElementById: element },
    location: { protocol: "http:", hostname: "127.0.0.1" },
    addEventListener: () => {},
  };
  page["window"] = page;
  page["self"] = page;
  vm.createContext(page);
  vm.runInContext(readFileSync(file, "utf8"), page);
  const sdk = page["Flashphoner"] as Sdk;
  await sdk.init({});
  return {
    sdk,
    sockets,
    peers,
    errors,
    displays: { localVideoDisplay: element(), remoteVideoDisplay: element() },
  };
}
