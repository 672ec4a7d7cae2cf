/// <reference lib="dom" />
import { releaseBox } from "./media.ts";
import type { SdkCall } from "./sdk.ts";

/** What cannot be plain state: the SDK's call, the boxes it fills, and the watchdogs. */
export class LiveCall {
  readonly localBox = box("local");
  readonly remoteBox = box("remote");
  sdkCall: SdkCall | undefined;
  /** This side asked for the end. */
  isEndedByUs = false;
  /** Hang up as soon as the server knows of the call. */
  isHangupWanted = false;
  /** How often it was held while another call had the stage, since the last time that it worked. */
  holdTries = 0;
  /** The other side's name in the server's words, once it was told. */
  toldPeer = "";
  /** Looks in a row without a new packet. */
  stillLooks = 0;
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(readonly key: number) {}

  /** (Re)starts one watchdog. */
  after(name: string, ms: number, action: () => void): void {
    this.cancel(name);
    this.#timers.set(
      name,
      setTimeout(() => {
        this.#timers.delete(name);
        action();
      }, ms),
    );
  }

  every(name: string, ms: number, action: () => void): void {
    this.cancel(name);
    this.#timers.set(name, setInterval(action, ms));
  }

  cancel(name: string): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  /**
   * Frees microphone, camera and peer connection. The SDK closes the latter by itself only for the
   * last call of a session; `isSdkDone` says that it has.
   */
  release(isSdkDone: boolean): void {
    for (const name of [...this.#timers.keys()]) this.cancel(name);
    if (!isSdkDone) this.closeInSdk();
    releaseBox(this.localBox);
    releaseBox(this.remoteBox);
    this.localBox.remove();
    this.remoteBox.remove();
  }

  /**
   * Ends the call inside the SDK, whatever its state, and tells the server where it can be told. In
   * PENDING the first hang-up only marks the call; the second closes its connection and, for an
   * incoming call whose answer failed here, lets the server know.
   */
  closeInSdk(): void {
    const call = this.sdkCall;
    if (call === undefined) return;
    const isHalfway = call.status() === "PENDING" || call.status() === "NEW";
    try {
      call.hangup();
      if (isHalfway) call.hangup();
    } catch {
      // The SDK has forgotten the call: nothing is left to close.
    }
  }
}

function box(side: "local" | "remote"): HTMLElement {
  const element = document.createElement("div");
  element.className = `box box-${side}`;
  return element;
}
