import assert from "node:assert/strict";
import { uuid } from "../../src/core/entropy.ts";
import type { CallId } from "../../src/core/ids.ts";
import type {
  ClientConnection,
  ClientNotice,
  DisconnectReason,
  SessionHandle,
  SessionProfile,
} from "../../src/actors/client.ts";
import type { DtmfMethod } from "../../src/actors/control_plane.ts";
import { browserSdp, type BrowserSdpOptions } from "../support/browser_sdp.ts";
import type { SimWorld } from "./world.ts";

/** What a client knows of one of its calls; the checks are the SDK's own expectations. */
export interface ClientCallRecord {
  readonly id: CallId;
  readonly incoming: boolean;
  status: "new" | "trying" | "ringing" | "talking" | "held" | "finished";
  descriptions: number;
  answered: boolean;
  reason: string | null;
  hasVideo: boolean;
}

export type Behaviour = "patient" | "busy_person" | "random";

/**
 * One window of a user: speaks to the sessions as the Web SDK does, and asserts what it is told.
 */
export class SimClient implements ClientConnection {
  readonly remoteAddress = "127.0.0.1";
  readonly calls = new Map<CallId, ClientCallRecord>();
  /** Everything that arrived, for failures. */
  readonly heard: string[] = [];
  handle: SessionHandle | null = null;
  disconnected: DisconnectReason | null = null;
  registered = 0;
  readonly failures: Extract<ClientNotice, { type: "registrationFailed" }>[] = [];

  constructor(readonly world: SimWorld, readonly login: string) {}

  /** Codecs of its microphone, preferred first; absent: what browsers have. */
  audio: BrowserSdpOptions["audio"];

  /** What to do with a call that rings. */
  onIncoming: (call: ClientCallRecord) => void = () => {};

  connect(profile: Partial<SessionProfile> = {}): this {
    const opened = this.world.plane.sessions.open({
      appKey: "defaultApp",
      login: this.login,
      authName: this.login,
      password: "",
      domain: "localhost",
      outboundProxy: "localhost",
      port: 0,
      registerRequired: true,
      visibleName: null,
      keepAlive: true,
      echo: { sipLogin: this.login },
      ...profile,
    }, this);
    assert(opened.ok, opened.ok ? "" : opened.error.text);
    this.handle = opened.value;
    this.handle.ready();
    return this;
  }

  resume(token: string): boolean {
    const handle = this.world.plane.sessions.resume(token, this);
    if (!handle) return false;
    this.handle = handle;
    handle.ready();
    return true;
  }

  /** The socket is gone. */
  drop(): void {
    this.handle?.detach();
    this.handle = null;
  }

  call(
    callee: string,
    options: {
      readonly video?: boolean;
      readonly inviteParameters?: Readonly<Record<string, string>>;
    } = {},
  ): ClientCallRecord {
    const id = uuid(this.world.chance) as CallId;
    const record = this.#record(id, false);
    this.world.calls++;
    this.handle!.command({
      type: "call",
      callId: id,
      callee,
      sdp: browserSdp({
        ufrag: `offer${this.world.calls}`,
        video: options.video ?? false,
        ...this.#codecs,
      }),
      visibleName: this.login,
      sipSdp: [],
      inviteParameters: options.inviteParameters ?? {},
      custom: null,
      alreadyCancelled: false,
    });
    return record;
  }

  answer(call: ClientCallRecord): void {
    if (call.answered || call.status === "finished" || !this.handle) return;
    call.answered = true;
    this.handle.command({
      type: "answer",
      callId: call.id,
      sdp: browserSdp({ ufrag: "answer", setup: "active", video: call.hasVideo, ...this.#codecs }),
    });
  }

  hangup(call: ClientCallRecord): void {
    this.handle?.command({ type: "hangup", callId: call.id });
  }

  hold(call: ClientCallRecord, on: boolean): void {
    this.handle?.command(
      on
        ? { type: "hold", callId: call.id, forTransfer: false }
        : { type: "unhold", callId: call.id },
    );
  }

  transfer(call: ClientCallRecord, target: string): void {
    this.handle?.command({ type: "transfer", callId: call.id, target });
  }

  dtmf(call: ClientCallRecord, digits: string, method: DtmfMethod = "RFC2833"): void {
    this.handle?.command({ type: "dtmf", callId: call.id, digits, method });
  }

  notify(notice: ClientNotice): void {
    this.heard.push(describe(notice));
    switch (notice.type) {
      case "registered":
        this.registered++;
        return;
      case "registrationFailed":
        this.failures.push(notice);
        return;
      case "remoteDescription": {
        const call = this.calls.get(notice.callId) ?? this.#record(notice.callId, true);
        // Must-do rule 7: a browser takes one remote description.
        this.#check(++call.descriptions === 1, `second description for ${notice.callId}`);
        this.#check(notice.isAnswer === !call.incoming, "who offers");
        return;
      }
      case "incoming": {
        const call = this.calls.get(notice.call.callId);
        this.#check(call?.descriptions === 1, "description before the call");
        call!.hasVideo = notice.call.hasVideo;
        return;
      }
      case "trying":
        return this.#move(notice.call.callId, "trying", ["new"]);
      case "ringing": {
        this.#move(notice.call.callId, "ringing", ["new", "trying", "ringing"]);
        const call = this.calls.get(notice.call.callId)!;
        if (call.incoming) this.world.clock.defer(() => this.onIncoming(call));
        return;
      }
      case "talking":
        return this.#move(notice.call.callId, "talking", ["trying", "ringing", "talking", "held"]);
      case "held":
        return this.#move(notice.call.callId, "held", ["talking", "held"]);
      case "finished": {
        const call = this.calls.get(notice.call.callId) ??
          this.#record(notice.call.callId, notice.call.incoming);
        this.#check(call.status !== "finished", `finished twice: ${notice.call.callId}`);
        this.world.count(notice.termination.reason);
        call.status = "finished";
        call.reason = notice.termination.reason;
        return;
      }
    }
  }

  disconnect(reason: DisconnectReason): void {
    this.disconnected = reason;
    this.handle = null;
  }

  get #codecs(): Pick<BrowserSdpOptions, "audio"> {
    return this.audio ? { audio: this.audio } : {};
  }

  get live(): ClientCallRecord[] {
    return [...this.calls.values()].filter((call) => call.status !== "finished");
  }

  #record(id: CallId, incoming: boolean): ClientCallRecord {
    const record: ClientCallRecord = {
      id,
      incoming,
      status: "new",
      descriptions: 0,
      answered: false,
      reason: null,
      hasVideo: false,
    };
    this.calls.set(id, record);
    return record;
  }

  #move(
    id: CallId,
    status: ClientCallRecord["status"],
    from: readonly ClientCallRecord["status"][],
  ): void {
    const call = this.calls.get(id);
    this.#check(call !== undefined, `${status} for an unknown call`);
    this.#check(from.includes(call!.status), `${status} after ${call!.status}`);
    if (call!.status !== status) this.world.count(status);
    call!.status = status;
  }

  #check(holds: boolean, what: string): void {
    if (!holds) this.world.violate(`${this.login}: ${what}\n    ${this.heard.join("\n    ")}`);
  }
}

function describe(notice: ClientNotice): string {
  switch (notice.type) {
    case "registered":
    case "registrationFailed":
      return notice.type;
    case "remoteDescription":
      return `remoteDescription ${notice.callId}`;
    case "finished":
      return `finished ${notice.call.callId} ${notice.termination.reason}`;
    default:
      return `${notice.type} ${notice.call.callId}`;
  }
}
