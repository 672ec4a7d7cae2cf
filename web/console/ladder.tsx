/// <reference lib="dom" />
import { useEffect, useId, useState } from "preact/hooks";
import { fetchLadder, ladderHref, type LadderMessage, type LadderView } from "./api.ts";
import { columnsOf, messageWords, offsetWords, partyWords, wayWords } from "./ladder_words.ts";

/**
 * All SIP messages of a call as a ladder: who said what to whom, and when; a click shows the text.
 */
export function Ladder({ id, looks }: {
  readonly id: string;
  /** Changes whenever the lists were renewed: so is this, while it is open. */
  readonly looks: number;
}) {
  const [isOpen, setOpen] = useState(false);
  const [ladder, setLadder] = useState<LadderView>();
  useEffect(() => {
    if (!isOpen) return;
    let isCurrent = true;
    void fetchLadder(id).then((found) => {
      if (isCurrent && found) setLadder(found);
    }).catch(() => {
      // The page says that the server can't be reached; the last view stays.
    });
    return () => {
      isCurrent = false;
    };
  }, [id, looks, isOpen]);
  return (
    <div class="ladder">
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>SIP messages</summary>
        {ladder === undefined
          ? <p class="aside">Asking the server…</p>
          : <Diagram ladder={ladder} />}
      </details>
      <p class="ladder-links">
        <a href={ladderHref(id, "text")} target="_blank" rel="noreferrer">As text</a>
        <a href={ladderHref(id, "pcap")} download>For Wireshark (pcap)</a>
      </p>
    </div>
  );
}

function Diagram({ ladder }: { readonly ladder: LadderView }) {
  const { parties, messages, dropped } = ladder;
  if (messages.length === 0) return <p class="aside">No message of this call is kept any more.</p>;
  return (
    <>
      {dropped > 0 && <p class="aside">{dropped} older messages had to make room.</p>}
      {/* Each message says by itself from whom to whom it went. */}
      <div class="ladder-parties" aria-hidden="true">
        {parties.map((party) => <span key={party.id} title={partyWords(party)}>{party.name}</span>)}
      </div>
      <ol class="ladder-messages" aria-label="SIP messages in their order">
        {messages.map((message) => (
          <Rung
            key={message.sequence}
            ladder={ladder}
            message={message}
          />
        ))}
      </ol>
    </>
  );
}

function Rung({ ladder, message }: {
  readonly ladder: LadderView;
  readonly message: LadderMessage;
}) {
  const [isOpen, setOpen] = useState(false);
  const textId = useId();
  const { left, width, isBackwards } = columnsOf(ladder.parties, message);
  const { status, summary, hasSdp, note, offsetMs, text } = message;
  const isBad = status !== null && status >= 400;
  return (
    <li>
      <button
        type="button"
        class="rung"
        aria-expanded={isOpen}
        aria-controls={textId}
        aria-label={messageWords(ladder.parties, message)}
        onClick={() => setOpen(!isOpen)}
      >
        <span class="rung-time number">{offsetWords(offsetMs)}</span>
        {ladder.parties.map(({ id }, index) => (
          <span
            key={id}
            class="rung-life"
            style={{ left: `${(index + 0.5) * 100 / ladder.parties.length}%` }}
          />
        ))}
        <span
          class={`rung-arrow ${isBackwards ? "rung-back" : ""} ${isBad ? "rung-bad" : ""}`}
          data-kind={status === null ? "request" : "response"}
          style={{ left: `${left}%`, width: `${width}%` }}
        >
          <span class="rung-words">
            {summary}
            {hasSdp && <small>SDP</small>}
            {note !== undefined && <small>{note}</small>}
          </span>
        </span>
      </button>
      <pre
        id={textId}
        hidden={!isOpen}
        tabIndex={0}
      >{`${wayWords(ladder.parties, message)}  ${message.at}\n\n${text}`}</pre>
    </li>
  );
}
