/// <reference lib="dom" />
import { useEffect, useRef, useState } from "preact/hooks";
import { bytesOf, clockOf, percentOf, secondsSince } from "../shared/format.ts";
import { useNow } from "../shared/hooks.ts";
import { CloseIcon } from "../shared/icons.tsx";
import { type CallView, fetchCall } from "./api.ts";
import { EndCallButton } from "./end_call_button.tsx";
import { Ladder } from "./ladder.tsx";
import { StateTag } from "./parts.tsx";
import { dialogWords, dtlsWords, endingWords, iceWords, ownerOf, transferWords } from "./words.ts";

type Loaded = "loading" | "gone" | { readonly call: CallView; readonly peer: CallView | undefined };

/** One call with both its legs, and the other side's call of the same conversation. */
export function CallDetail({ id, otherIds, looks, onClose, onSelect }: {
  readonly id: string;
  /** The other calls of this conversation, the answered one first. */
  readonly otherIds: readonly string[];
  /** Changes whenever the lists were renewed: so is this. */
  readonly looks: number;
  onClose(): void;
  onSelect(id: string): void;
}) {
  const [loaded, setLoaded] = useState<Loaded>("loading");
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  useEffect(() => {
    let isCurrent = true;
    void load(id, otherIds[0]).then((found) => {
      if (isCurrent) setLoaded(found);
    }).catch(() => {
      // The page says that the server can't be reached; the last view stays.
    });
    return () => {
      isCurrent = false;
    };
  }, [id, otherIds[0], looks]);
  const call = typeof loaded === "object" ? loaded.call : undefined;
  return (
    <aside
      class="detail"
      aria-labelledby="detail-title"
      onKeyDown={(event) => {
        if (event.key === "Escape" && !event.defaultPrevented) onClose();
      }}
    >
      <div class="detail-head">
        <h2 id="detail-title" ref={heading} tabIndex={-1}>
          {call === undefined ? "Call" : `${call.caller} → ${call.callee}`}
        </h2>
        <button
          type="button"
          class="button button-bare"
          aria-label="Close details"
          onClick={onClose}
        >
          <CloseIcon />
        </button>
      </div>
      {loaded === "loading" && <p>Asking the server…</p>}
      {loaded === "gone" && (
        <p>The server no longer knows this call. It keeps the last 1,000 that ended.</p>
      )}
      {typeof loaded === "object" && (
        <Conversation
          call={loaded.call}
          peer={loaded.peer}
          looks={looks}
          onSelect={onSelect}
        />
      )}
    </aside>
  );
}

async function load(id: string, otherId: string | undefined): Promise<Loaded> {
  const call = await fetchCall(id);
  if (call === undefined) return "gone";
  const peerId = call.peerCallId ?? otherId;
  const peer = peerId === undefined ? undefined : await fetchCall(peerId);
  return { call, peer };
}

function Conversation({ call, peer, looks, onSelect }: {
  readonly call: CallView;
  readonly peer: CallView | undefined;
  readonly looks: number;
  onSelect(id: string): void;
}) {
  const now = useNow();
  const until = call.endedAt === null ? now : Date.parse(call.endedAt);
  const warnings = [call, ...(peer === undefined ? [] : [peer])].flatMap((one) =>
    one.warnings.map((text) => `${ownerOf(one)}: ${text}`)
  );
  return (
    <>
      <div class="row detail-state">
        <StateTag state={call.state} />
        <span class="number">{clockOf(secondsSince(call.startedAt, until))}</span>
        <span class="sub">{call.hasVideo ? "audio and video" : "audio"}</span>
        <span class="grow" />
        {call.state !== "ended" && <EndCallButton call={call} onEnded={() => onSelect(call.id)} />}
      </div>
      {call.termination !== null && (
        <p class="ending">
          {endingWords(call)} <span class="code">{call.termination.sipStatus}</span>
        </p>
      )}
      {warnings.length > 0 && (
        <ul class="warnings" aria-label="Warnings">
          {warnings.map((text) => <li key={text}>{text}</li>)}
        </ul>
      )}
      <Side call={call} />
      {peer !== undefined && <Side call={peer} />}
      <Ladder key={call.id} id={call.id} looks={looks} />
      <h3>Identity</h3>
      <dl class="facts">
        <Fact name="SIP Call-ID" value={call.sipCallId} isCode />
        <Fact name="Call" value={call.id} isCode />
        {peer !== undefined && <Fact name="Other side" value={peer.id} isCode />}
        <Fact name="Session" value={call.sessionId} isCode />
        <Fact name="Began" value={new Date(call.startedAt).toLocaleString()} />
        {call.answeredAt !== null && (
          <Fact name="Answered" value={new Date(call.answeredAt).toLocaleString()} />
        )}
        {call.endedAt !== null && (
          <Fact name="Ended" value={new Date(call.endedAt).toLocaleString()} />
        )}
      </dl>
    </>
  );
}

function Side({ call }: { readonly call: CallView }) {
  const [first, sip] = call.legs;
  const webrtc = first.kind === "webrtc" ? first : undefined;
  const media = webrtc ?? (first.kind === "sip" ? first.media : undefined);
  const statistics = media?.statistics ?? null;
  const worker = media?.worker ?? null;
  const isHeld = call.hold.local;
  return (
    <section aria-label={`Side of ${ownerOf(call)}`}>
      <h3>
        {ownerOf(call)} <span class="sub">{call.direction}{isHeld ? ", holds" : ""}</span>
      </h3>
      <dl class="facts">
        {call.transfer !== null && (
          <Fact
            name="Transfer"
            value={transferWords(call.transfer)}
            isBad={call.transfer.status === "failed"}
          />
        )}
        {call.dtmf.length > 0 && (
          <Fact
            name="Digits"
            value={`${call.dtmf.map(({ digit }) => digit).join("")} from ${call.dtmf.at(-1)!.from}`}
          />
        )}
        <Fact name="Codecs" value={first.codecs.join(", ") || "none yet"} />
        {webrtc && (
          <>
            <Fact name="ICE" value={iceWords(webrtc)} isBad={webrtc.ice === "disconnected"} />
            <Fact name="DTLS" value={dtlsWords(webrtc)} isBad={webrtc.dtls === "failed"} />
          </>
        )}
        <Fact name="Address" value={media?.remoteAddress ?? "unknown"} />
        <Fact name="Worker" value={worker === null ? "none" : String(worker)} />
        {statistics !== null && (
          <>
            <Fact
              name="Received"
              value={`${statistics.receivePackets.toLocaleString("en")} packets, ` +
                bytesOf(statistics.receiveBytes)}
            />
            <Fact
              name="Lost"
              value={`${statistics.receiveLost.toLocaleString("en")} (${
                percentOf(call.lossPercent)
              })`}
            />
            <Fact name="Jitter" value={`${statistics.jitterMs.toFixed(1)} ms`} />
            <Fact
              name="Round trip"
              value={statistics.roundTripMs === null
                ? "unknown"
                : `${statistics.roundTripMs.toFixed(0)} ms`}
            />
            <Fact
              name="Sent"
              value={`${statistics.sendPackets.toLocaleString("en")} packets, ` +
                bytesOf(statistics.sendBytes)}
            />
            {statistics.dropped > 0 && (
              <Fact name="Dropped" value={`${statistics.dropped.toLocaleString("en")} packets`} />
            )}
          </>
        )}
        <Fact name="SIP dialog" value={dialogWords(sip)} />
        <Fact name="Local" value={`${sip.localUri} ;tag=${sip.localTag}`} isCode />
        <Fact
          name="Remote"
          value={sip.remoteTag === null ? sip.remoteUri : `${sip.remoteUri} ;tag=${sip.remoteTag}`}
          isCode
        />
        <Fact name="Next hop" value={sip.nextHop} isCode />
      </dl>
    </section>
  );
}

function Fact({ name, value, isCode, isBad }: {
  readonly name: string;
  readonly value: string;
  readonly isCode?: boolean;
  readonly isBad?: boolean;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={`${isCode ? "code" : ""} ${isBad ? "bad" : ""}`}>{value}</dd>
    </div>
  );
}
