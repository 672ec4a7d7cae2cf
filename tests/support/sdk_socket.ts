import { browserSdp } from "./browser_sdp.ts";
import type { Lab } from "./lab.ts";

interface Frame {
  readonly message: string;
  readonly data: readonly unknown[];
}

const PATIENCE_MS = 15_000;

/**
 * A page of the Web SDK without its browser: the frames, and descriptions that fit. Its media never
 * comes about, so a test is over before `media.setupTimeoutSeconds` are.
 */
export class SdkSocket implements AsyncDisposable {
  readonly frames: Frame[] = [];
  readonly #socket: WebSocket;
  readonly #waiting = new Set<() => void>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(String(data)) as Frame;
      if (frame.message === "ping") return this.send("pong");
      this.frames.push(frame);
      for (const look of [...this.#waiting]) look();
    };
  }

  static async open(lab: Lab, login: string): Promise<SdkSocket> {
    const socket = new WebSocket(lab.webSocket);
    const opened = Promise.withResolvers<void>();
    socket.onopen = () => opened.resolve();
    socket.onerror = () => opened.reject(new Error("the WebSocket did not open"));
    await opened.promise;
    const page = new SdkSocket(socket);
    page.send("connection", {
      appKey: "defaultApp",
      mediaProviders: ["WebRTC"],
      keepAlive: true,
      clientVersion: "2.0",
      sipLogin: login,
      sipAuthenticationName: login,
      sipPassword: "",
      sipDomain: "localhost",
      sipOutboundProxy: "localhost",
      sipPort: "0",
      sipRegisterRequired: true,
    });
    await page.heard("registered");
    return page;
  }

  send(message: string, ...data: readonly unknown[]): void {
    this.#socket.send(JSON.stringify({ message, data }));
  }

  /** Calls, and waits until somebody has answered; gives the call's id. */
  async call(callee: string): Promise<string> {
    const callId = crypto.randomUUID();
    this.send("call", {
      callId,
      incoming: false,
      hasAudio: true,
      hasVideo: false,
      status: "PENDING",
      mediaProvider: "WebRTC",
      sdp: browserSdp(),
      callee,
      visibleName: "page",
    });
    await this.heard("talk");
    return callId;
  }

  count(message: string): number {
    return this.frames.filter((frame) => frame.message === message).length;
  }

  /** The first frame of this name, also one that came before. */
  async heard(message: string): Promise<Frame> {
    const find = () => this.frames.find((frame) => frame.message === message);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = () => {
      if (find()) resolve();
    };
    const names = () => this.frames.map((frame) => frame.message).join(", ");
    const timer = setTimeout(
      () => reject(new Error(`no ${message} within ${PATIENCE_MS} ms; heard ${names()}`)),
      PATIENCE_MS,
    );
    this.#waiting.add(look);
    look();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(look);
    }
    return find()!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.onclose = () => resolve();
    this.#socket.close();
    await promise;
  }
}
