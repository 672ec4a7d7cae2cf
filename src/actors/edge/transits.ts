import type { Anchors } from "./anchors.ts";
import type { EdgeEffect, Transit, TransitEnd } from "./contract.ts";
import type { WireDialog } from "./wire_dialog.ts";

/** Reason headers of BYEs of our own (RFC 3326). */
const REASONS = {
  worker_lost: 'SIP;cause=500;text="Media worker lost"',
  media_silent: 'SIP;cause=408;text="No media"',
  session_expired: 'SIP;cause=408;text="The other side does not answer"',
  operator: 'SIP;cause=200;text="Ended by an operator"',
} as const;

/** Why we end a call that goes on as far as its two sides know. */
export type TransitCause = keyof typeof REASONS;

export interface TransitsPorts {
  readonly anchors: Anchors;
  /** Asks whoever is at the far end whether he is there; `done` hears once, where he can be asked. */
  ask(dialog: WireDialog, done: (isThere: boolean) => void): void;
  onEffect(effect: EdgeEffect): void;
}

/**
 * Calls between two wire sides: two anchors that feed each other, and no party inside that would
 * end them, or say that they ended.
 */
export class Transits {
  readonly #ports: TransitsPorts;
  readonly #anchors: Anchors;
  /** Why calls end at this moment. */
  #cause: TransitEnd = "hangup";

  constructor(ports: TransitsPorts) {
    this.#ports = ports;
    this.#anchors = ports.anchors;
  }

  // --- looking at them ---

  /** Oldest first; `order` counts up and never changes. */
  *all(): Generator<{ readonly order: number; readonly transit: Transit }> {
    const ringing = this.#ringing();
    for (const caller of this.#anchors.all()) {
      const transit = this.#transitOf(caller) ?? ringingTransit(caller, ringing);
      if (transit) yield { order: caller.order, transit };
    }
  }

  /** By the id of the caller's anchor. */
  get(id: string): Transit | undefined {
    const caller = this.#anchors.get(id);
    return caller && (this.#transitOf(caller) ?? ringingTransit(caller, this.#ringing()));
  }

  // --- ending them ---

  /** An operator ends one; false where there is none of this id. */
  endByOperator(id: string): boolean {
    const caller = this.#anchors.get(id);
    if (!caller || caller.isAnswered) return caller !== undefined && this.end(caller, "operator");
    const transit = this.get(id);
    if (!transit || !caller.cancel(REASONS.operator)) return false;
    const { dialog } = caller;
    this.#ports.onEffect({ type: "transit-ended", dialog, transit, reason: "operator" });
    return true;
  }

  /** Says BYE to both sides; false where the dialog is no part of such a call. */
  end(dialog: WireDialog, cause: TransitCause): boolean {
    const other = this.#otherOf(dialog);
    if (!other) return false;
    this.#cause = cause;
    try {
      dialog.hangUp(REASONS[cause]);
      other.hangUp(REASONS[cause]);
    } finally {
      this.#cause = "hangup";
    }
    return true;
  }

  /** Whoever was at the far end has no connection to us any more. */
  giveUp(dialog: WireDialog): void {
    if (this.end(dialog, "session_expired")) return;
    this.#ports.onEffect({ type: "party-lost", dialog: dialog.dialog });
    dialog.terminate();
  }

  /** Nothing comes from a far end any more that owes media: it may be gone without a word. */
  onSilent(dialog: WireDialog, ms: number): void {
    const joined = this.#anchors.withToken(dialog.peer);
    const isHeld = dialog.media?.view().isHeld || joined?.media?.view().isHeld;
    // While it rings nobody owes media.
    if (!dialog.isAnswered || !dialog.isSilent || isHeld) return;
    const other = this.#otherOf(dialog);
    // A party inside has this dialog: it is its call that ends.
    if (!other) {
      return this.#ports.onEffect({ type: "silent", dialog: dialog.dialog, ms });
    }
    if (other.isSilent) return void this.end(dialog, "media_silent");
    // Somebody talks to a phone that is muted, or gone.
    this.#ports.ask(dialog, (isThere) => {
      if (!isThere && dialog.isSilent) this.end(dialog, "media_silent");
    });
  }

  // --- telling of them ---

  tellAnswer(dialog: WireDialog): void {
    const transit = this.#transitOf(dialog);
    const { dialog: name } = dialog;
    if (transit) this.#ports.onEffect({ type: "transit-connected", dialog: name, transit });
  }

  /**
   * The first of two anchors closes: what the call between them was is known for the last time. To
   * be called while both can still be found.
   */
  tellEnd(dialog: WireDialog): void {
    const other = this.#anchors.withToken(dialog.peer);
    const caller = dialog.role === "caller" ? dialog : other;
    // Whose place another has taken ends nothing by its going.
    const isLeft = caller !== dialog && caller?.peer !== dialog.media?.token;
    const transit = caller?.isAnswered && !isLeft ? this.#transitOf(caller) : undefined;
    if (!caller || !transit) return;
    this.#ports.onEffect({
      type: "transit-ended",
      dialog: caller.dialog,
      transit,
      reason: this.#cause,
    });
  }

  // --- who belongs to whom ---

  /** The call of a caller whose media is joined with the other side's. */
  #transitOf(caller: WireDialog): Transit | undefined {
    const callee = caller.role === "caller" ? this.#otherOf(caller) : undefined;
    return callee && [caller.view(), callee.view()];
  }

  /**
   * The other wire side of a call that merely passes: the proxy changes no Call-ID. A party inside
   * that has joined two of its dialogs has a call of its own.
   */
  #otherOf(dialog: WireDialog): WireDialog | undefined {
    const other = this.#anchors.withToken(dialog.peer);
    return other !== dialog && other?.callId === dialog.callId ? other : undefined;
  }

  /** Those who ring, by Call-ID; one of each fork. */
  #ringing(): Map<string, WireDialog> {
    const found = new Map<string, WireDialog>();
    for (const dialog of this.#anchors.all()) {
      if (dialog.role === "callee" && !dialog.isAnswered) found.set(dialog.callId, dialog);
    }
    return found;
  }
}

/** A call that nobody has answered yet. */
function ringingTransit(
  caller: WireDialog,
  ringing: ReadonlyMap<string, WireDialog>,
): Transit | undefined {
  if (caller.role !== "caller" || caller.isAnswered) return undefined;
  const callee = ringing.get(caller.callId);
  return callee && [caller.view(), callee.view()];
}
