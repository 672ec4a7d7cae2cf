import type { LadderMessage, LadderPartyView, LadderView } from "./control_plane.ts";
import type { Ladder, LadderEntry, LadderParty } from "./ladder.ts";
import { maskSecrets } from "./ladder_masks.ts";
import { SdpNotes } from "./ladder_notes.ts";
import { iso } from "./views.ts";

/** The column of all that is ours: proxy, registrar, and user agents of servers of others. */
const SERVER = "server";

const decoder = new TextDecoder();

/** A call's ladder as operators read it: secrets masked. */
export function toLadderView(
  ladder: Ladder,
  call: { readonly id: string; readonly sipCallIds: readonly string[] },
  /** `host:port` of ours. */
  ownAddress: string,
): LadderView {
  const { entries, dropped } = ladder.read(call.sipCallIds);
  const parties = new Map<string, LadderPartyView>();
  const first = entries[0]?.at ?? 0;
  const notes = new SdpNotes();
  const messages = entries.map((entry) => {
    const { party } = entry;
    if (!parties.has(party.id)) parties.set(party.id, toPartyView(party));
    return notes.on(toMessage(entry, first, ownAddress));
  });
  const server: LadderPartyView = {
    id: SERVER,
    kind: "server",
    name: "Port Zero",
    transport: null,
    address: ownAddress,
  };
  return {
    callId: call.id,
    sipCallIds: call.sipCallIds,
    dropped,
    parties: ordered(parties, server),
    messages,
  };
}

/** Whoever spoke first stands on the left, the server beside him, the others on the right. */
function ordered(
  parties: ReadonlyMap<string, LadderPartyView>,
  server: LadderPartyView,
): LadderPartyView[] {
  const [first, ...others] = parties.values();
  return first ? [first, server, ...others] : [server];
}

function toPartyView({ id, kind, name, transport, address }: LadderParty): LadderPartyView {
  return { id, kind, name, transport, address };
}

function toMessage(entry: LadderEntry, first: number, ownAddress: string): LadderMessage {
  const { sequence, at, direction, party, bytes } = entry;
  const text = maskSecrets(decoder.decode(bytes));
  const [line = ""] = text.split("\r\n", 1);
  const answer = /^SIP\/2\.0 (\d{3}) ?(.*)$/.exec(line);
  const cseq = /^cseq[ \t]*:[ \t]*(\d+)[ \t]+(\S+)/im.exec(text);
  return {
    sequence,
    at: iso(at),
    offsetMs: at - first,
    direction,
    from: direction === "receive" ? party.id : SERVER,
    to: direction === "receive" ? SERVER : party.id,
    transport: party.transport,
    localAddress: party.localAddress ?? ownAddress,
    remoteAddress: party.address,
    method: cseq?.[2] ?? line.split(" ", 1)[0]!,
    cseq: cseq ? Number(cseq[1]) : null,
    status: answer ? Number(answer[1]) : null,
    summary: answer ? `${answer[1]} ${answer[2]}`.trim() : line.split(" ", 1)[0]!,
    hasSdp: /^(?:content-type|c)[ \t]*:[ \t]*application\/sdp/im.test(text),
    text,
  };
}
