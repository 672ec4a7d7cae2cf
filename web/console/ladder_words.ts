import type { LadderMessage, LadderPartyView } from "../../src/actors/control_plane.ts";

/** Where a message stands in a ladder, and what it is called. Pure. */

export interface Place {
  /** Percent of the ladder's width. */
  readonly left: number;
  readonly width: number;
  /** From right to left. */
  readonly isBackwards: boolean;
}

/** Parties stand in the middle of columns of equal width. */
export function columnsOf(
  parties: readonly LadderPartyView[],
  { from, to }: Pick<LadderMessage, "from" | "to">,
): Place {
  const at = (id: string) => Math.max(0, parties.findIndex((party) => party.id === id));
  const [start, end] = [at(from), at(to)];
  const column = 100 / Math.max(1, parties.length);
  return {
    left: (Math.min(start, end) + 0.5) * column,
    width: Math.abs(end - start) * column,
    isBackwards: end < start,
  };
}

/** By what a message went: a transport, or past all networks where a browser's user agent is. */
export function wayWords(
  parties: readonly LadderPartyView[],
  { from, to, transport }: Pick<LadderMessage, "from" | "to" | "transport">,
): string {
  const isInside = parties.some(({ id, kind }) => kind === "session" && (id === from || id === to));
  return isInside ? "inside the server" : transport;
}

/** Where a party is, for who wants to know more than its name. */
export function partyWords({ kind, name, transport, address }: LadderPartyView): string {
  if (kind === "session") return `${name}, a user agent inside the server`;
  return [name, transport, address].filter((word) => word !== null && word !== "").join(" ");
}

/** `0.120 s`, or `2:05` from a minute on. */
export function offsetWords(offsetMs: number): string {
  if (offsetMs < 60_000) return `${(offsetMs / 1000).toFixed(3)} s`;
  const seconds = Math.floor(offsetMs / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/**
 * A message for who hears it read: `0.120 s, alice to Port Zero: INVITE with session description`.
 */
export function messageWords(
  parties: readonly LadderPartyView[],
  message: Pick<
    LadderMessage,
    "from" | "to" | "summary" | "status" | "method" | "hasSdp" | "note" | "offsetMs"
  >,
): string {
  const nameOf = (id: string) => parties.find((party) => party.id === id)?.name ?? id;
  const { from, to, summary, status, method, hasSdp, note, offsetMs } = message;
  const answer = status === null ? "" : ` to ${method}`;
  const sdp = hasSdp ? " with session description" : "";
  const words = `${summary}${answer}${sdp}${note === undefined ? "" : `, ${note}`}`;
  return `${offsetWords(offsetMs)}, ${nameOf(from)} to ${nameOf(to)}: ${words}`;
}
