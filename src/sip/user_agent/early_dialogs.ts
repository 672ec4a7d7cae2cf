import { Dialog } from "../dialog/dialog.ts";
import type { SipRequest, SipResponse } from "../message/mod.ts";
import { type EarlyBranch, ReliableReceiver } from "./reliable.ts";

/** Callees that one INVITE is followed to; more are a broken network. */
const MAX_BRANCHES = 32;

/**
 * The early dialogs of one INVITE of ours: a request that forks has several (RFC 3261 13.2.2.1).
 * A browser takes one remote description, so a description counts only while one callee is left.
 */
export class EarlyDialogs {
  readonly #branches = new Map<string, EarlyBranch>();

  /** Callees that have been heard of and have not gone (199, RFC 6228). */
  get size(): number {
    return this.#branches.size;
  }

  /** Takes a 101-199; undefined where it makes no dialog. */
  receive(invite: SipRequest, response: SipResponse): EarlyBranch | undefined {
    const tag = response.to.tag;
    if (tag === undefined) return undefined;
    if (response.status === 199) {
      this.#branches.delete(tag);
      return undefined;
    }
    const known = this.#branches.get(tag);
    if (known) {
      known.dialog.updateTarget(response);
      return known;
    }
    if (this.#branches.size >= MAX_BRANCHES) return undefined;
    const made = Dialog.ofUac(invite, response);
    if (!made.ok) return undefined;
    const branch = { dialog: made.value, receiver: new ReliableReceiver() };
    this.#branches.set(tag, branch);
    return branch;
  }

  /** The early dialog that a 2xx confirms, with its sequence numbers; undefined: a new one. */
  confirm(response: SipResponse): Dialog | undefined {
    const dialog = this.#branches.get(response.to.tag ?? "")?.dialog;
    this.#branches.clear();
    dialog?.confirm(response);
    return dialog;
  }
}
