import { bytesOf, percentOf } from "../shared/format.ts";
import type { CallView } from "./api.ts";
import { Fact } from "./parts.tsx";
import { Steering } from "./steering.tsx";
import {
  dialogWords,
  dtlsWords,
  holdWords,
  iceWords,
  mediaWayWords,
  otherOf,
  ownerOf,
  transcodingWords,
  transferWords,
} from "./words.ts";

type Leg = CallView["legs"][number];
type Webrtc = Extract<Leg, { readonly kind: "webrtc" }>;
type Sip = Extract<Leg, { readonly kind: "sip" }>;
type SipMedia = NonNullable<Sip["media"]>;

/** One client's side of a conversation: what it sends and hears, and what can be done with it. */
export function Side({ call, hasPeer, onChanged }: {
  readonly call: CallView;
  /** The other side is a client of ours, with a side of its own. */
  readonly hasPeer: boolean;
  onChanged(): void;
}) {
  const [first, sip] = call.legs;
  const [owner, other] = [ownerOf(call), otherOf(call)];
  const hold = holdWords(call.hold, owner, other);
  const isOver = call.state === "ended";
  return (
    <>
      <section aria-label={`Side of ${owner}`}>
        <h3>
          {owner} <span class="sub">{call.direction}</span>
        </h3>
        <Steering call={call} onChanged={onChanged} />
        <dl class="facts">
          {hold !== "" && <Fact name="Hold" value={hold} />}
          {call.transfer !== null && (
            <Fact
              name="Transfer"
              value={transferWords(call.transfer)}
              isBad={call.transfer.status === "failed"}
            />
          )}
          {call.dtmf.length > 0 && <Fact name="Digits" value={digitsOf(call)} />}
          <Fact name="Codecs" value={first.codecs.join(", ") || "none yet"} />
          {first.kind === "webrtc"
            ? <WebrtcFacts leg={first} isOver={isOver} />
            : first.media && <MediaFacts media={first.media} isOver={isOver} />}
          <StatisticsFacts
            statistics={(first.kind === "webrtc" ? first : first.media)?.statistics ?? null}
            lossPercent={call.lossPercent}
          />
          <DialogFacts leg={first.kind === "sip" ? first : sip} />
        </dl>
      </section>
      {!hasPeer && sip.media && (
        <section aria-label={`Side of ${other}`}>
          <h3>
            {other} <span class="sub">phone</span>
          </h3>
          <dl class="facts">
            <Fact name="Codecs" value={sip.media.codecs.join(", ") || "none yet"} />
            <MediaFacts media={sip.media} isOver={isOver} />
            <StatisticsFacts statistics={sip.media.statistics} lossPercent={null} />
            {first.kind === "sip" && <DialogFacts leg={sip} />}
          </dl>
        </section>
      )}
    </>
  );
}

/** Who pressed what, in groups: one may press, then the other. */
function digitsOf({ dtmf }: CallView): string {
  const groups: { readonly from: string; digits: string }[] = [];
  for (const { digit, from } of dtmf) {
    const last = groups.at(-1);
    if (last?.from === from) last.digits += digit;
    else groups.push({ from, digits: digit });
  }
  return groups.map(({ from, digits }) => `${digits} from ${from}`).join(", ");
}

function WebrtcFacts({ leg, isOver }: { readonly leg: Webrtc; readonly isOver: boolean }) {
  return (
    <>
      <Fact name="ICE" value={iceWords(leg)} isBad={leg.ice === "disconnected"} />
      <Fact name="DTLS" value={dtlsWords(leg)} isBad={leg.dtls === "failed"} />
      <Fact name="Media" value={mediaWayWords(leg, true, isOver)} />
      {leg.transcoding && <Fact name="Translated" value={transcodingWords(leg.transcoding)} />}
      <Fact name="Address" value={leg.remoteAddress ?? "unknown"} />
    </>
  );
}

function MediaFacts({ media, isOver }: { readonly media: SipMedia; readonly isOver: boolean }) {
  return (
    <>
      <Fact name="Media" value={mediaWayWords(media, media.isSecure, isOver)} />
      {media.transcoding && <Fact name="Translated" value={transcodingWords(media.transcoding)} />}
      <Fact name="Address" value={media.remoteAddress ?? "unknown"} />
    </>
  );
}

function StatisticsFacts({ statistics, lossPercent }: {
  readonly statistics: Webrtc["statistics"];
  readonly lossPercent: number | null;
}) {
  if (statistics === null) return null;
  const count = (packets: number) => `${packets.toLocaleString("en")} packets`;
  const { receiveLost, roundTripMs, dropped } = statistics;
  const share = lossPercent === null ? "" : ` (${percentOf(lossPercent)})`;
  return (
    <>
      <Fact
        name="Received"
        value={`${count(statistics.receivePackets)}, ${bytesOf(statistics.receiveBytes)}`}
      />
      <Fact name="Lost" value={`${receiveLost.toLocaleString("en")}${share}`} />
      <Fact name="Jitter" value={`${statistics.jitterMs.toFixed(1)} ms`} />
      <Fact
        name="Round trip"
        value={roundTripMs === null ? "unknown" : `${roundTripMs.toFixed(0)} ms`}
      />
      <Fact
        name="Sent"
        value={`${count(statistics.sendPackets)}, ${bytesOf(statistics.sendBytes)}`}
      />
      {dropped > 0 && <Fact name="Dropped" value={count(dropped)} />}
    </>
  );
}

function DialogFacts({ leg }: { readonly leg: Sip }) {
  const remote = leg.remoteTag === null ? leg.remoteUri : `${leg.remoteUri} ;tag=${leg.remoteTag}`;
  return (
    <>
      <Fact name="SIP dialog" value={dialogWords(leg)} />
      <Fact name="Local" value={`${leg.localUri} ;tag=${leg.localTag}`} isCode />
      <Fact name="Remote" value={remote} isCode />
      <Fact name="Next hop" value={leg.nextHop} isCode />
    </>
  );
}
