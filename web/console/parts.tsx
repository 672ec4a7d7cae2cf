import type { ComponentChildren } from "preact";
import { percentOf } from "../shared/format.ts";
import { type CallSummary, LIST_LIMIT } from "./api.ts";
import { type Conversation, LOSS_WARNING_PERCENT } from "./model.ts";
import { callStateWords } from "./words.ts";

export function StateTag({ state }: { readonly state: CallSummary["state"] }) {
  return <span class={`tag tag-${state}`} data-state={state}>{callStateWords(state)}</span>;
}

/** Loss of the caller's and the callee's stream. */
export function Loss({ losses }: { readonly losses: readonly number[] }) {
  const isBad = losses.some((loss) => loss >= LOSS_WARNING_PERCENT);
  return (
    <span class={isBad ? "bad" : ""}>
      {losses.map(percentOf).join(" / ")}
      {isBad && <span class="unseen">(high)</span>}
    </span>
  );
}

export function Parties({ conversation }: { readonly conversation: Conversation }) {
  const { lead } = conversation;
  return (
    <>
      <b>{lead.caller}</b> <span class="arrow" aria-hidden="true">→</span>
      <span class="unseen">to</span> <b>{lead.callee}</b>
    </>
  );
}

export function Section({ id, title, count, note, children }: {
  readonly id: string;
  readonly title: string;
  readonly count?: number;
  /** Beside the count. */
  readonly note?: string | undefined;
  readonly children: ComponentChildren;
}) {
  return (
    <section class="list" aria-labelledby={id}>
      <h2 id={id}>
        {title}
        {count !== undefined && (count > 0 || note !== undefined) && (
          <span class="count">{note === undefined ? count : `${count} (${note})`}</span>
        )}
      </h2>
      {children}
    </section>
  );
}

/** An empty list says what to do. */
export function Empty({ children }: { readonly children: ComponentChildren }) {
  return <div class="empty">{children}</div>;
}

/** Below a list that is longer than what was asked for. */
export function Cut() {
  return <p class="aside">The first {LIST_LIMIT} are shown; the API lists all.</p>;
}

/** One line of a list of facts. */
export function Fact({ name, value, isCode, isBad }: {
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
