import { Groups } from "../../core/groups.ts";
import type { EndpointToken, FlowId } from "../../core/ids.ts";
import { validate } from "../../sip/message/mod.ts";
import type { AnchorDialog } from "./contract.ts";
import type { Passing } from "./crossing.ts";
import type { WireDialog } from "./wire_dialog.ts";

/** Under which keys an anchor is found. */
interface Entry {
  readonly transaction: string;
  readonly dialogs: Set<string>;
  readonly tokens: Set<EndpointToken>;
  places: readonly string[];
  flow: FlowId;
  unansweredOn: FlowId | null;
}

/**
 * All anchors, by everything that they are looked for by. Each has an entry with its own keys, so
 * that nothing of it is left when it goes.
 */
export class Anchors {
  readonly #dialogs = new Map<string, WireDialog>();
  readonly #entries = new Map<WireDialog, Entry>();
  /** By transaction of the INVITE, and by dialog. */
  readonly #byTransaction = new Map<string, WireDialog>();
  readonly #byDialog = new Groups<string, WireDialog>();
  readonly #byFlow = new Groups<FlowId, WireDialog>();
  readonly #byToken = new Map<EndpointToken, WireDialog>();
  /** By `address:port` where an endpoint of ours receives. */
  readonly #byPlace = new Map<string, WireDialog>();
  readonly #unanswered = new Map<FlowId, number>();

  /** What is alive, for leak checks. */
  get counts(): Readonly<Record<string, number>> {
    return {
      anchors: this.#dialogs.size,
      anchorTransactions: this.#byTransaction.size,
      anchorDialogs: this.#byDialog.size,
      anchorIndices: this.#byFlow.size + this.#byToken.size + this.#byPlace.size +
        this.#unanswered.size,
    };
  }

  // --- finding ---

  /** Oldest first. */
  all(): Iterable<WireDialog> {
    return this.#dialogs.values();
  }

  get(id: string): WireDialog | undefined {
    return this.#dialogs.get(id);
  }

  /** Whose message this is. */
  find(item: Passing): WireDialog | undefined {
    // An answer to what could not be read repeats what could not be read.
    if (this.#dialogs.size === 0 || !validate(item.message).ok) return undefined;
    const transaction = this.#byTransaction.get(transactionKey(item));
    if (transaction) return transaction;
    const { side, flow, message } = item;
    const from = message.from.tag ?? "";
    const to = message.to.tag;
    if (to === undefined) return undefined;
    // Whoever sent the request stands in From.
    const isFromWire = (side === "wire") === (message.kind === "request");
    const [localTag, remoteTag] = isFromWire ? [to, from] : [from, to];
    const key = dialogKey({ callId: message.callId, localTag, remoteTag });
    const found = this.#byDialog.valuesOf(key);
    // A phone may have come back on another connection.
    return found.find((dialog) => dialog.flow.id === flow.id) ??
      (found.length === 1 ? found[0] : undefined);
  }

  /** The oldest of this dialog. */
  named(name: AnchorDialog): WireDialog | undefined {
    return this.#byDialog.firstOf(dialogKey(name));
  }

  /** Those on a flow; a new array. */
  on(flow: FlowId): WireDialog[] {
    return this.#byFlow.valuesOf(flow);
  }

  isAnyOn(flow: FlowId): boolean {
    return this.#byFlow.has(flow);
  }

  /** How many on this flow came with an INVITE that waits for its answer. */
  unansweredOn(flow: FlowId): number {
    return this.#unanswered.get(flow) ?? 0;
  }

  /** Whose endpoint has this token, or had it. */
  withToken(token: EndpointToken | null): WireDialog | undefined {
    return token === null ? undefined : this.#byToken.get(token);
  }

  /** Whose endpoint receives at the first of these places that is one of ours. */
  receivingAt(places: readonly string[]): WireDialog | undefined {
    for (const place of places) {
      const owner = this.#byPlace.get(place);
      if (owner) return owner;
    }
    return undefined;
  }

  // --- keeping in step ---

  /** @param first the INVITE that makes the dialog */
  add(dialog: WireDialog, first: Passing): void {
    const transaction = transactionKey(first);
    const flow = first.flow.id;
    this.#dialogs.set(dialog.id, dialog);
    this.#byTransaction.set(transaction, dialog);
    this.#entries.set(dialog, {
      transaction,
      dialogs: new Set(),
      tokens: new Set(),
      places: [],
      flow,
      unansweredOn: flow,
    });
    this.#byFlow.add(flow, dialog);
    this.#unanswered.set(flow, this.unansweredOn(flow) + 1);
  }

  /** A tag of the other party is known: the dialog has this name too. */
  learn(dialog: WireDialog, name: AnchorDialog): void {
    const key = dialogKey(name);
    const known = this.#entries.get(dialog)?.dialogs;
    if (known?.has(key)) return;
    this.#byDialog.add(key, dialog);
    known?.add(key);
  }

  /** Flow or endpoint may be others than before: it is found as it stands now. */
  move(dialog: WireDialog): void {
    const entry = this.#entries.get(dialog);
    if (!entry) return;
    if (entry.flow !== dialog.flow.id) {
      this.#byFlow.delete(entry.flow, dialog);
      entry.flow = dialog.flow.id;
      this.#byFlow.add(entry.flow, dialog);
    }
    const { media, phone } = dialog;
    if (media) {
      this.#byToken.set(media.token, dialog);
      entry.tokens.add(media.token);
    }
    for (const place of entry.places) this.#byPlace.delete(place);
    entry.places = phone?.places ?? [];
    for (const place of entry.places) this.#byPlace.set(place, dialog);
  }

  /** Its INVITE waits for no answer any more. */
  answered(dialog: WireDialog): void {
    const entry = this.#entries.get(dialog);
    if (!entry || entry.unansweredOn === null) return;
    const left = (this.#unanswered.get(entry.unansweredOn) ?? 1) - 1;
    if (left > 0) this.#unanswered.set(entry.unansweredOn, left);
    else this.#unanswered.delete(entry.unansweredOn);
    entry.unansweredOn = null;
  }

  forget(dialog: WireDialog): void {
    this.answered(dialog);
    this.#dialogs.delete(dialog.id);
    const entry = this.#entries.get(dialog);
    if (!entry) return;
    this.#entries.delete(dialog);
    this.#byTransaction.delete(entry.transaction);
    this.#byFlow.delete(entry.flow, dialog);
    for (const key of entry.dialogs) this.#byDialog.delete(key, dialog);
    for (const token of entry.tokens) this.#byToken.delete(token);
    for (const place of entry.places) this.#byPlace.delete(place);
  }
}

/** INVITE, CANCEL, ACK to a refusal, and responses share it; branches of strangers are not ours. */
function transactionKey({ side, flow, message }: Passing): string {
  const isOurBranch = (side === "inner") === (message.kind === "request");
  const branch = message.topVia.branch ?? `${message.cseq.sequence}`;
  const { callId } = message;
  return isOurBranch ? `${callId}\n${branch}` : `${flow.id}\n${callId}\n${branch}`;
}

function dialogKey({ callId, localTag, remoteTag }: AnchorDialog): string {
  return `${callId}\n${localTag}\n${remoteTag ?? ""}`;
}
