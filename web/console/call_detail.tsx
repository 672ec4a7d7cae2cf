/// <reference lib="dom" />
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { clockOf, secondsSince } from "../shared/format.ts";
import { useNow } from "../shared/hooks.ts";
import { CloseIcon } from "../shared/icons.tsx";
import { type CallView, fetchCall } from "./api.ts";
import { Side } from "./call_side.tsx";
import { EndCallButton } from "./end_call_button.tsx";
import { Ladder } from "./ladder.tsx";
import { endingOf } from "./model.ts";
import { Fact, StateTag } from "./parts.tsx";
import { endingWords, ownerOf } from "./words.ts";

type Loaded = "loading" | "gone" | { readonly call: CallView; readonly peer: CallView | undefined };

/** One call with both its legs, and the other side's call of the same conversation. */
export function CallDetail({ id, otherIds, looks, onClose, onChanged }: {
  readonly id: string;
  /** The other calls of this conversation, the answered one first. */
  readonly otherIds: readonly string[];
  /** Changes whenever the lists were renewed: so is this. */
  readonly looks: number;
  onClose(): void;
  /** Something was done to the call: what is shown is old. */
  onChanged(): void;
}) {
  const [loaded, setLoaded] = useState<Loaded>("loading");
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => heading.current?.focus(), []);
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
          onChanged={onChanged}
          onEnded={() => {
            // The button that was pressed goes with the call.
            heading.current?.focus();
            onChanged();
          }}
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

function Conversation({ call, peer, looks, onChanged, onEnded }: {
  readonly call: CallView;
  readonly peer: CallView | undefined;
  readonly looks: number;
  onChanged(): void;
  onEnded(): void;
}) {
  const now = useNow();
  const until = call.endedAt === null ? now : Date.parse(call.endedAt);
  const ending = endingOf({ lead: call, others: peer === undefined ? [] : [peer] });
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
        {call.state !== "ended" && <EndCallButton call={call} onEnded={onEnded} />}
      </div>
      {ending.termination !== null && (
        <p class="ending">
          {endingWords(ending)} <span class="code">{ending.termination.sipStatus}</span>
        </p>
      )}
      {warnings.length > 0 && (
        <ul class="warnings" aria-label="Warnings">
          {warnings.map((text) => <li key={text}>{text}</li>)}
        </ul>
      )}
      <Side call={call} hasPeer={peer !== undefined} onChanged={onChanged} />
      {peer !== undefined && <Side call={peer} hasPeer onChanged={onChanged} />}
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
