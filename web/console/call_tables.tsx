/// <reference lib="dom" />
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { clockOf, secondsSince } from "../shared/format.ts";
import { useNow } from "../shared/hooks.ts";
import { EndCallButton } from "./end_call_button.tsx";
import { type Conversation, endingOf } from "./model.ts";
import { useListTools } from "./list_tools.tsx";
import { callStateWords, endingWords } from "./words.ts";
import { Cut, Empty, Loss, Parties, Section, StateTag } from "./parts.tsx";

interface Selectable {
  readonly selected: string | null;
  onSelect(id: string): void;
}

export function CallTable(
  { conversations, hasMore, selected, onSelect, onEnded }: Selectable & {
    readonly conversations: readonly Conversation[];
    readonly hasMore: boolean;
    onEnded(): void;
  },
) {
  const now = useNow();
  const { rows, filter, more } = useListTools(conversations, "live calls", textOf);
  return (
    <Section id="live-calls" title="Live calls" count={conversations.length}>
      {filter}
      {conversations.length === 0
        ? (
          <Empty>
            <p>No calls at the moment.</p>
            <p>
              Open the <a href="/" target="_blank" rel="noopener">phone page</a>{" "}
              in two windows and call one from the other: the call shows up here.
            </p>
          </Empty>
        )
        : (
          <table aria-labelledby="live-calls">
            <thead>
              <tr>
                <th scope="col">Call</th>
                <th scope="col" class="wide">State</th>
                <th scope="col" class="wide">Codecs</th>
                <th scope="col" class="wide number">
                  <abbr title="Packets lost of what caller / callee sent">Loss</abbr>
                </th>
                <th scope="col" class="number">Duration</th>
                <th scope="col">
                  <span class="unseen">Hang up</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((conversation) => {
                const { lead } = conversation;
                return (
                  <Row
                    key={lead.id}
                    conversation={conversation}
                    selected={selected}
                    onSelect={onSelect}
                    brief={<Brief conversation={conversation} />}
                  >
                    <td class="wide">
                      <StateTag state={conversation.state} />
                    </td>
                    <td class="wide">{conversation.codecs.join(", ") || "–"}</td>
                    <td class="wide number">
                      <Loss losses={conversation.losses} />
                    </td>
                    <td class="number">{clockOf(secondsSince(lead.startedAt, now))}</td>
                    <td class="action">
                      <EndCallButton call={lead} onEnded={onEnded} />
                    </td>
                  </Row>
                );
              })}
            </tbody>
          </table>
        )}
      {more}
      {hasMore && <Cut />}
    </Section>
  );
}

function textOf(conversation: Conversation): string {
  const { lead, others, state, codecs } = conversation;
  const who = [lead, ...others].flatMap(({ caller, callee }) => [caller, callee]);
  const ending = lead.termination === null
    ? callStateWords(state)
    : endingWords(endingOf(conversation));
  return [...who, ...codecs, ending, lead.sipCallId].join(" ");
}

const FIRST_ENDED = 8;

export function EndedTable({ conversations, selected, onSelect }: Selectable & {
  readonly conversations: readonly Conversation[];
}) {
  const [showsAll, setShowsAll] = useState(false);
  const { rows, filter, more } = useListTools(conversations, "ended calls", textOf);
  const shown = showsAll ? rows : rows.slice(0, FIRST_ENDED);
  return (
    <Section id="ended-calls" title="Ended calls">
      {showsAll && filter}
      {conversations.length === 0
        ? (
          <Empty>
            <p>No call has ended yet since the server started.</p>
          </Empty>
        )
        : (
          <table aria-labelledby="ended-calls">
            <thead>
              <tr>
                <th scope="col">Call</th>
                <th scope="col" class="wide">How it ended</th>
                <th scope="col" class="number">Duration</th>
                <th scope="col" class="number">Ended</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((conversation) => {
                const { lead } = conversation;
                return (
                  <Row
                    key={lead.id}
                    conversation={conversation}
                    selected={selected}
                    onSelect={onSelect}
                    brief={<Ending conversation={conversation} />}
                  >
                    <td class="wide">
                      <Ending conversation={conversation} />
                    </td>
                    <td class="number">
                      {clockOf(secondsSince(lead.startedAt, Date.parse(lead.since)))}
                    </td>
                    <td class="number">
                      <time dateTime={lead.since}>{new Date(lead.since).toLocaleTimeString()}</time>
                    </td>
                  </Row>
                );
              })}
            </tbody>
          </table>
        )}
      {showsAll && more}
      {!showsAll && conversations.length > shown.length && (
        <button
          type="button"
          class="button"
          onClick={() => setShowsAll(true)}
        >
          Show {conversations.length - shown.length} more
        </button>
      )}
    </Section>
  );
}

/** The reason in words, and the SIP status for those who want it. */
function Ending({ conversation }: { readonly conversation: Conversation }) {
  const call = endingOf(conversation);
  const { termination } = call;
  if (termination === null) return <>Ended</>;
  return (
    <>
      <span class={termination.result === "success" ? "" : "bad"}>
        {endingWords(call)}
      </span>{" "}
      <span class="code">{termination.sipStatus}</span>
    </>
  );
}

/** What a narrow screen shows of a live call in place of columns. */
function Brief({ conversation }: { readonly conversation: Conversation }) {
  const { state, codecs, losses } = conversation;
  return (
    <>
      <StateTag state={state} />
      {codecs.length > 0 && <span>{codecs.join(", ")}</span>}
      {codecs.length > 0 && (
        <span>
          <Loss losses={losses} /> lost
        </span>
      )}
    </>
  );
}

/** @param brief what stands under the names where there is no room for columns */
function Row({ conversation, selected, onSelect, brief, children }: Selectable & {
  readonly conversation: Conversation;
  readonly brief: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  const { id } = conversation.lead;
  return (
    <tr class={id === selected ? "selected" : ""}>
      <td>
        <button
          type="button"
          class="open"
          title="Show details"
          data-call={id}
          onClick={() => onSelect(id)}
        >
          <Parties conversation={conversation} />
        </button>
        <p class="narrow sub">{brief}</p>
      </td>
      {children}
    </tr>
  );
}
