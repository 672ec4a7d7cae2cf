/// <reference lib="dom" />
import type { CallList } from "./call_list.ts";
import type { CallsHost } from "./calls.ts";
import type { CallNews } from "./line.ts";
import type { LiveCall } from "./live_call.ts";
import { qualityOf } from "./quality.ts";
import type { SdkCallStatus } from "./sdk.ts";
import { playDigit } from "./sound.ts";
import { transferNotice } from "./words.ts";

const QUALITY_INTERVAL_MS = 2_000;
/** So long after the answer nothing at all has arrived: something is in the way. */
const NO_MEDIA_AFTER_MS = 8_000;
/** So many looks without a new packet: the other side has stopped. */
const STILL_LOOKS = 2;
/** Beyond the time that the server lets the new one ring. */
const TRANSFER_TIMEOUT_MS = 90_000;
const DIGIT = /^[0-9*#A-D]$/;
const MAX_SHOWN_DIGITS = 64;

/** What is done in a call that stands: digits, handing it on, and watching how it sounds. */
export class CallActions {
  constructor(
    readonly live: ReadonlyMap<number, LiveCall>,
    readonly list: CallList,
    readonly host: CallsHost,
  ) {}

  sendDigit(key: number, digit: string): void {
    const call = this.live.get(key)?.sdkCall;
    const state = this.list.find(key);
    if (call === undefined || state === undefined || !DIGIT.test(digit)) return;
    if (state.phase !== "active" && state.phase !== "held") return;
    call.sendDTMF(digit, "RFC2833");
    playDigit(digit);
    this.list.patch(key, { digits: (state.digits + digit).slice(-MAX_SHOWN_DIGITS) });
  }

  /** Asks the server to join the other side with `target`. The call stays until that has worked. */
  transfer(key: number, target: string): void {
    const live = this.live.get(key);
    const state = this.list.find(key);
    if (live?.sdkCall === undefined || state === undefined || state.transferTo !== null) return;
    this.host.notify(null);
    this.list.patch(key, { transferTo: target });
    live.after("transfer", TRANSFER_TIMEOUT_MS, () => this.#transferFailed(live, 408));
    live.sdkCall.transfer(target);
  }

  /** What the server says of a call: of a transfer that failed, or of whom one talks with now. */
  news(sdkCallId: string, news: CallNews): void {
    const live = [...this.live.values()].find((one) => one.sdkCall?.id() === sdkCallId);
    const state = live && this.list.find(live.key);
    if (live === undefined || state === undefined) return;
    if (news.sipStatus >= 300) this.#transferFailed(live, news.sipStatus);
    const told = state.direction === "inbound" ? news.caller : news.callee;
    if (told === "") return;
    // The first name is the one that was dialled, maybe written in another way.
    if (live.toldPeer !== "" && live.toldPeer !== told) {
      this.list.patch(live.key, { peer: told });
      this.host.notify({ kind: "info", text: `You were handed on and talk with ${told} now.` });
    }
    live.toldPeer = told;
  }

  /** A call has been answered: looks after what arrives. */
  watch(live: LiveCall): void {
    live.every("quality", QUALITY_INTERVAL_MS, () => this.#measure(live));
    live.after("media", NO_MEDIA_AFTER_MS, () => this.#checkMedia(live));
  }

  heard(live: LiveCall, status: SdkCallStatus): void {
    live.stillLooks = 0;
    if (status === "HOLD") this.list.patch(live.key, { isSilent: false });
  }

  #transferFailed(live: LiveCall, sipStatus: number): void {
    live.cancel("transfer");
    const state = this.list.find(live.key);
    if (state === undefined || state.transferTo === null) return;
    this.list.patch(live.key, { transferTo: null });
    this.host.notify(transferNotice(state.peer, state.transferTo, sipStatus));
  }

  #measure(live: LiveCall): void {
    live.sdkCall?.getStats((stats) => {
      const state = this.list.find(live.key);
      if (state === undefined) return;
      const quality = qualityOf(stats);
      const isStill = quality.packets > 0 && quality.packets === state.quality?.packets;
      live.stillLooks = isStill && state.phase === "active" ? live.stillLooks + 1 : 0;
      this.list.patch(live.key, { quality, isSilent: live.stillLooks >= STILL_LOOKS });
    }, true);
  }

  #checkMedia(live: LiveCall): void {
    const state = this.list.find(live.key);
    if (state?.phase !== "active" || state.quality?.packets !== 0) return;
    this.host.notify({
      kind: "warning",
      text: `Nothing is heard of ${state.peer} yet.`,
      hint: "A firewall between you and the server may stop the sound (UDP).",
    });
  }
}
