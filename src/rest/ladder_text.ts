import type { LadderView } from "../actors/control_plane.ts";

/** The way of messages on the hop in memory, between a browser's user agent and our proxy. */
const INSIDE = "inside the server";

/** Ids of those who are reached without a network. */
function insideParties({ parties }: LadderView): ReadonlySet<string> {
  return new Set(parties.filter(({ kind }) => kind === "session").map(({ id }) => id));
}

/** A ladder as text: each message under a line that says when, from whom, to whom. */
export function ladderText(ladder: LadderView): string {
  const names = new Map(ladder.parties.map(({ id, name }) => [id, name]));
  const nameOf = (id: string) => names.get(id) ?? id;
  const inside = insideParties(ladder);
  const head = [
    `Call ${ladder.callId}`,
    ...ladder.sipCallIds.map((id) => `SIP Call-ID ${id}`),
    ...(ladder.dropped > 0 ? [`${ladder.dropped} older messages had to make room`] : []),
  ];
  const blocks = ladder.messages.map((message) => {
    const { sequence, at, offsetMs, transport, from, to, text } = message;
    const seconds = (offsetMs / 1000).toFixed(3);
    const { direction, remoteAddress, localAddress } = message;
    const way = inside.has(from) || inside.has(to)
      ? INSIDE
      : direction === "send"
      ? `${transport} ${localAddress} to ${remoteAddress}`
      : `${transport} ${remoteAddress} to ${localAddress}`;
    const title = `#${sequence}  ${at}  +${seconds} s  ${nameOf(from)} -> ${nameOf(to)}  ${way}`;
    return `${title}\n${"-".repeat(title.length)}\n${text.replaceAll("\r\n", "\n").trimEnd()}\n`;
  });
  return `${head.join("\n")}\n\n${blocks.join("\n")}`;
}
