import type { CallSummary, CallView } from "../../src/actors/control_plane.ts";

/**
 * One conversation as people see it: of two browsers, two calls with one SIP Call-ID; while several
 * windows ring, more.
 */
export interface Conversation {
  /** The caller's call where it is ours, else the only one. */
  readonly lead: CallSummary;
  /** The other sides, the answered one first. */
  readonly others: readonly CallSummary[];
  readonly state: CallSummary["state"];
  readonly codecs: readonly string[];
  /** Percent missing of what the caller's and the callee's client sent. */
  readonly losses: readonly number[];
}

const WORST_FIRST: readonly CallSummary["state"][] = [
  "ending",
  "held",
  "active",
  "ringing",
  "trying",
  "ended",
];

/** Groups calls in the order of the list. Pure. */
export function conversationsOf(calls: readonly CallSummary[]): readonly Conversation[] {
  const groups = new Map<string, CallSummary[]>();
  for (const call of calls) {
    const key = call.sipCallId || call.id;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [call]);
    else group.push(call);
  }
  return [...groups.values()].map(conversationOf);
}

function conversationOf(group: readonly CallSummary[]): Conversation {
  const lead = group.find((call) => call.direction === "outbound") ?? group[0]!;
  const others = group
    .filter((call) => call !== lead)
    .sort((a, b) => Number(b.id === lead.peerCallId) - Number(a.id === lead.peerCallId));
  const shown = [lead, ...others.slice(0, 1)];
  return {
    lead,
    others,
    state: WORST_FIRST.find((state) => shown.some((call) => call.state === state)) ?? lead.state,
    codecs: lead.codecs.length > 0 ? lead.codecs : others[0]?.codecs ?? [],
    losses: shown.map((call) => call.lossPercent),
  };
}

/**
 * The call that knows why a conversation has ended: one side hears of a BYE alone, the other that
 * its client was lost. Of several windows the last to end is the one that had answered.
 */
export function endingOf({ lead, others }: Pick<Conversation, "lead" | "others">): CallSummary {
  if (lead.termination?.reason !== "remote_hangup") return lead;
  const [last] = others
    .filter(({ termination }) => termination !== null)
    .sort((a, b) => b.since.localeCompare(a.since));
  return last?.termination && last.termination.result !== "success" ? last : lead;
}

/**
 * Whether a client of ours talks, in whose place one could act. In a transit call none ever did; a
 * client that has handed a phone without REFER on has left its call to two phones.
 */
export function hasClient({ direction, legs }: CallView): boolean {
  return direction !== "transit" && legs[0].kind === "webrtc";
}

/** Above this, people hear it. */
export const LOSS_WARNING_PERCENT = 2;
