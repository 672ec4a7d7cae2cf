/// <reference lib="dom" />
import { CallActions } from "./call_actions.ts";
import { CallList } from "./call_list.ts";
import type { CallNews, CallNote } from "./line.ts";
import { LiveCall } from "./live_call.ts";
import { acquire, type DeviceChoice, MediaRefusal, setEnabled } from "./media.ts";
import { CALL_STATUSES, type Sdk, type SdkCall, type SdkMediaOptions } from "./sdk.ts";
import type { SdkCallStatus, SdkSession } from "./sdk.ts";
import type { CallState, Notice } from "./state.ts";
import { endNotice } from "./words.ts";

/** What the calls need of the phone around them. */
export interface CallsHost {
  sdk(): Sdk;
  session(): SdkSession | undefined;
  me(): string;
  devices(): DeviceChoice;
  note(sdkCallId: string): CallNote;
  notify(notice: Notice | null): void;
  changed(calls: readonly CallState[], activeKey: number | null): void;
  /** Permission was given: devices have names now. */
  mediaOpened(): void;
}

/** The server says TRYING at once; without it the call frame got lost. */
const TRYING_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 20_000;
const HANGUP_TIMEOUT_MS = 4_000;
const HOLD_TIMEOUT_MS = 5_000;
const HOLD_TRIES = 4;
const HOLD_RETRY_MS = 1_000;

/** All calls of this page. Every way in has a way out: the server's word, or a watchdog. */
export class Calls {
  readonly #host: CallsHost;
  readonly #live = new Map<number, LiveCall>();
  readonly #list: CallList;
  /** Digits, transfer, and what is heard. */
  readonly actions: CallActions;

  constructor(host: CallsHost) {
    this.#host = host;
    this.#list = new CallList(host.changed);
    this.actions = new CallActions(this.#live, this.#list, host);
  }

  box(key: number, side: "local" | "remote"): HTMLElement | undefined {
    const live = this.#live.get(key);
    return side === "local" ? live?.localBox : live?.remoteBox;
  }

  async start(callee: string, wantsVideo: boolean): Promise<void> {
    this.#holdActive();
    const live = this.#add({
      direction: "outbound",
      peer: callee,
      hasVideo: wantsVideo,
      phase: "starting",
    });
    this.#list.activate(live.key);
    const media = await this.#open(live, wantsVideo);
    const session = this.#host.session();
    if (media === undefined || session === undefined) return this.#drop(live);
    try {
      const call = session.createCall({ ...media, callee, visibleName: this.#host.me() });
      this.#attach(live, call);
      live.after("trying", TRYING_TIMEOUT_MS, () => this.#end(live, "FAILED", "No answer in time"));
      call.call();
    } catch (fault) {
      this.#host.notify({ kind: "error", text: `The call could not be started: ${fault}` });
      this.#drop(live);
    }
  }

  incoming(call: SdkCall, hasVideo: boolean): void {
    const peer = call.caller() || call.visibleName() || "somebody";
    const live = this.#add({ direction: "inbound", peer, hasVideo, phase: "incoming" });
    this.#attach(live, call);
  }

  async answer(key: number, wantsCamera: boolean): Promise<void> {
    const live = this.#live.get(key);
    const call = live?.sdkCall;
    if (live === undefined || call === undefined || this.#list.find(key)?.phase !== "incoming") {
      return;
    }
    this.#list.patch(key, { phase: "answering" });
    this.#host.notify(null);
    if (this.#list.activeKey !== key) this.#holdActive();
    this.#list.activate(key);
    const media = await this.#open(live, wantsCamera && this.#list.find(key)?.hasVideo === true);
    if (!this.#live.has(key)) return;
    // Without a microphone it goes on ringing: one may allow it and press Answer again.
    if (media === undefined) return this.#list.patch(key, { phase: "incoming" });
    try {
      live.after("answer", ANSWER_TIMEOUT_MS, () => this.#end(live, "FAILED", "No media in time"));
      call.answer(media);
    } catch (fault) {
      this.#end(live, "FAILED", String(fault));
    }
  }

  hangup(key: number): void {
    const live = this.#live.get(key);
    const state = this.#list.find(key);
    if (live === undefined || state === undefined || state.phase === "ending") return;
    live.isEndedByUs = true;
    this.#list.patch(key, { phase: "ending" });
    const status = live.sdkCall?.status();
    if (status === undefined) return this.#end(live, "FINISH", "");
    live.after("hangup", HANGUP_TIMEOUT_MS, () => this.#end(live, "FINISH", ""));
    // An outgoing call that the server has not confirmed would be cancelled here alone and ring on
    // there.
    if (status === "PENDING" && state.direction === "outbound") live.isHangupWanted = true;
    else live.sdkCall?.hangup();
  }

  hangupAll(): void {
    for (const key of [...this.#live.keys()]) this.hangup(key);
  }

  /** The line is gone, and all calls with it; the server has ended them. */
  dropAll(): void {
    const all = [...this.#live.values()];
    // Forgotten first: closing them makes the SDK report ends that nobody needs to hear.
    this.#live.clear();
    for (const live of all) live.release(false);
    this.#list.clear();
  }

  toggleHold(key: number): void {
    const state = this.#list.find(key);
    if (state === undefined || state.isHoldPending) return;
    if (state.phase === "active") this.#hold(key);
    else if (state.phase === "held") this.resume(key);
  }

  /** The server's words for a call, before the SDK tells its status. */
  news(sdkCallId: string, news: CallNews): void {
    this.actions.news(sdkCallId, news);
  }

  /** Takes a waiting call to the stage and its hold away; the one that talks is held. */
  resume(key: number): void {
    const live = this.#live.get(key);
    if (live === undefined) return;
    if (this.#list.activeKey !== key) this.#holdActive();
    this.#list.activate(key);
    if (this.#list.find(key)?.phase !== "held") return;
    this.#waitForHold(live);
    live.sdkCall?.unhold();
  }

  setMuted(key: number, isMuted: boolean): void {
    this.#list.patch(key, { isMuted });
    this.#applySwitches(key);
  }

  setCameraOff(key: number, isCameraOff: boolean): void {
    this.#list.patch(key, { isCameraOff });
    this.#applySwitches(key);
  }

  /** Live calls change their device at once. */
  async switchDevice(kind: keyof DeviceChoice, id: string): Promise<void> {
    for (const live of this.#live.values()) {
      const state = this.#list.find(live.key);
      if (state?.connectedAt == null || live.sdkCall === undefined) continue;
      if (kind === "speaker") await live.sdkCall.setAudioOutputId(id);
      else if (id === "") continue;
      else if (kind === "microphone") await live.sdkCall.switchMic(id);
      else if (state.hasCamera) await live.sdkCall.switchCam(id);
      this.#applySwitches(live.key);
    }
  }

  #attach(live: LiveCall, call: SdkCall): void {
    live.sdkCall = call;
    for (const status of CALL_STATUSES) {
      call.on(status, () => {
        if (this.#live.get(live.key) === live) this.#heard(live, call, status);
      });
    }
  }

  #heard(live: LiveCall, call: SdkCall, status: SdkCallStatus): void {
    if (status === "FINISH" || status === "BUSY" || status === "FAILED") {
      const localError = call.getErrorInfo();
      return this.#end(live, status, localError ?? "", localError === undefined);
    }
    live.cancel("trying");
    if (live.isHangupWanted) {
      live.isHangupWanted = false;
      call.hangup();
      return;
    }
    const state = this.#list.find(live.key);
    if (state === undefined || state.phase === "ending") return;
    this.actions.heard(live, status);
    switch (status) {
      case "TRYING":
        return this.#list.patch(live.key, { phase: "calling" });
      case "RING":
      case "RING_MEDIA":
      case "SESSION_PROGRESS":
        if (state.direction === "outbound") this.#list.patch(live.key, { phase: "ringing" });
        return;
      case "HOLD":
        live.cancel("hold");
        live.holdTries = 0;
        return this.#list.patch(live.key, { phase: "held", isHoldPending: false });
      case "ESTABLISHED":
        return this.#established(live, state);
    }
  }

  #established(live: LiveCall, state: CallState): void {
    live.cancel("answer");
    live.cancel("hold");
    const isNew = state.connectedAt === null;
    this.#list.patch(live.key, {
      phase: "active",
      isHoldPending: false,
      ...(isNew ? { connectedAt: Date.now() } : {}),
    });
    this.#applySwitches(live.key);
    if (this.#list.activeKey !== live.key) this.#holdWaiting(live);
    if (!isNew) return;
    const speaker = this.#host.devices().speaker;
    if (speaker !== "") void live.sdkCall?.setAudioOutputId(speaker)?.catch(() => {});
    this.actions.watch(live);
  }

  /**
   * Opens microphone and camera; undefined, with a notice, where that failed or the call is over.
   */
  async #open(live: LiveCall, wantsCamera: boolean): Promise<SdkMediaOptions | undefined> {
    try {
      const devices = this.#host.devices();
      const media = await acquire(this.#host.sdk(), live.localBox, wantsCamera, devices);
      this.#host.mediaOpened();
      if (!this.#live.has(live.key)) {
        live.release(true);
        return undefined;
      }
      if (media.notice !== undefined) this.#host.notify(media.notice);
      this.#list.patch(live.key, { hasCamera: media.hasCamera });
      this.#applySwitches(live.key);
      return {
        localVideoDisplay: live.localBox,
        remoteVideoDisplay: live.remoteBox,
        constraints: media.constraints,
        receiveAudio: true,
        receiveVideo: media.hasCamera,
      };
    } catch (fault) {
      if (!this.#live.has(live.key)) return undefined;
      this.#host.notify(
        fault instanceof MediaRefusal
          ? fault.notice
          : { kind: "error", text: `Microphone and camera could not be opened: ${fault}` },
      );
      return undefined;
    }
  }

  /** The one way out of a call that the server knew or might have known. */
  #end(
    live: LiveCall,
    status: "FINISH" | "BUSY" | "FAILED",
    localInfo: string,
    isServersWord = false,
  ): void {
    const state = this.#list.find(live.key);
    if (state === undefined) return;
    const note = this.#host.note(live.sdkCall?.id() ?? "");
    const seconds = state.connectedAt === null ? 0 : (Date.now() - state.connectedAt) / 1000;
    this.#host.notify(endNotice({
      direction: state.direction,
      peer: state.peer,
      status,
      wasConnected: state.connectedAt !== null,
      seconds,
      isByUs: live.isEndedByUs,
      transferTo: state.transferTo,
      sipStatus: note.sipStatus,
      info: note.info || localInfo,
    }));
    this.#drop(live, isServersWord);
  }

  #drop(live: LiveCall, isServersWord = false): void {
    this.#live.delete(live.key);
    live.release(isServersWord && this.#live.size === 0);
    this.#list.remove(live.key);
  }

  #hold(key: number): void {
    const live = this.#live.get(key);
    if (live === undefined) return;
    this.#waitForHold(live);
    live.sdkCall?.hold();
  }

  /**
   * A call that is not on the stage must not be heard. It gets here when it was answered meanwhile,
   * or when the other side refused to be held (it was changing something itself): then it is asked
   * again.
   */
  #holdWaiting(live: LiveCall): void {
    if (live.holdTries >= HOLD_TRIES) return;
    live.after("hold-again", live.holdTries * HOLD_RETRY_MS, () => {
      if (this.#list.activeKey !== live.key) this.#hold(live.key);
    });
    live.holdTries++;
  }

  #holdActive(): void {
    const key = this.#list.activeKey;
    if (key !== null && this.#list.find(key)?.phase === "active") this.#hold(key);
  }

  #waitForHold(live: LiveCall): void {
    this.#list.patch(live.key, { isHoldPending: true });
    live.after("hold", HOLD_TIMEOUT_MS, () => this.#list.patch(live.key, { isHoldPending: false }));
  }

  #applySwitches(key: number): void {
    const state = this.#list.find(key);
    const local = this.box(key, "local");
    if (state === undefined || local === undefined) return;
    setEnabled(local, "audio", !state.isMuted);
    setEnabled(local, "video", !state.isCameraOff);
  }

  #add(of: Pick<CallState, "direction" | "peer" | "hasVideo" | "phase">): LiveCall {
    const live = new LiveCall(this.#list.add(of));
    this.#live.set(live.key, live);
    return live;
  }
}
