/// <reference lib="dom" />
import { useEffect, useState } from "preact/hooks";
import { spanOf } from "../shared/format.ts";
import { Mark } from "../shared/icons.tsx";
import { AccountsView } from "./accounts_view.tsx";
import type { Overview } from "./api.ts";
import { CallDetail } from "./call_detail.tsx";
import { CallTable, EndedTable } from "./call_tables.tsx";
import type { Feed, FeedState } from "./feed.ts";
import { conversationsOf } from "./model.ts";
import { PhonesView } from "./phones_view.tsx";
import { SessionTable } from "./session_table.tsx";
import { TrunksView } from "./trunks_view.tsx";
import { useView, type View, VIEWS } from "./views.ts";
import { awayWords } from "./words.ts";
import { WorkersView } from "./workers_view.tsx";

export function App({ feed }: { readonly feed: Feed }) {
  const looks = useLooks(feed);
  const { view, call: selected, select } = useView();
  const { overview, state } = feed;
  return (
    <>
      <header class="bar">
        <a class="brand" href="/console">
          <Mark />
          Port Zero <span class="brand-part">Console</span>
        </a>
        <FeedLine state={state} />
        <a class="bar-link" href="/api/docs" target="_blank" rel="noopener">API</a>
        <a class="bar-link" href="/" target="_blank" rel="noopener">Phone</a>
      </header>
      <main class={selected === null ? "console" : "console console-split"}>
        <h1 class="unseen">Operators' console</h1>
        <Views view={view} />
        <FeedNotice state={state} />
        {overview === undefined
          ? state.kind === "loading" && <p class="loading">Asking the server…</p>
          : (
            <div class="lists" data-stale={state.kind === "lost"}>
              <Summary overview={overview} />
              {view === "calls" && (
                <CallsView feed={feed} overview={overview} selected={selected} onSelect={select} />
              )}
              {view === "phones" && <PhonesView looks={looks} />}
              {view === "trunks" && <TrunksView looks={looks} />}
              {view === "accounts" && <AccountsView looks={looks} />}
              {view === "workers" && <WorkersView looks={looks} />}
            </div>
          )}
        {selected !== null && overview !== undefined && (
          <CallDetail
            key={selected}
            id={selected}
            otherIds={otherIdsOf(overview, selected)}
            looks={looks}
            onClose={() => {
              select(null);
              // Back to where the details were opened, if that is still there.
              const opener = `[data-call="${CSS.escape(selected)}"]`;
              document.querySelector<HTMLElement>(opener)?.focus();
            }}
            onChanged={() => feed.refresh()}
          />
        )}
      </main>
    </>
  );
}

/** Everything that goes on, and what has just been. */
function CallsView({ feed, overview, selected, onSelect }: {
  readonly feed: Feed;
  readonly overview: Overview;
  readonly selected: string | null;
  onSelect(id: string): void;
}) {
  return (
    <>
      <CallTable
        conversations={conversationsOf(overview.calls)}
        hasMore={overview.hasMoreCalls}
        selected={selected}
        onSelect={onSelect}
        onEnded={() => feed.refresh()}
      />
      <SessionTable sessions={overview.sessions} hasMore={overview.hasMoreSessions} />
      <EndedTable
        conversations={conversationsOf(overview.ended)}
        selected={selected}
        onSelect={onSelect}
      />
    </>
  );
}

function Views({ view }: { readonly view: View }) {
  return (
    <nav class="views" aria-label="Views">
      {VIEWS.map(({ id, name }) => (
        <a key={id} href={`#view=${id}`} {...(id === view ? { "aria-current": "page" } : {})}>
          {name}
        </a>
      ))}
    </nav>
  );
}

function otherIdsOf(overview: Overview, id: string): readonly string[] {
  return conversationsOf([...overview.calls, ...overview.ended])
    .map(({ lead, others }) => [lead.id, ...others.map((other) => other.id)])
    .find((ids) => ids.includes(id))
    ?.filter((other) => other !== id) ?? [];
}

function Summary({ overview }: { readonly overview: Overview }) {
  const { health } = overview;
  const down = health.workers.total - health.workers.running;
  return (
    <dl class="summary">
      <Figure name="Live calls" value={String(conversationsOf(overview.calls).length)} />
      <Figure
        name="Sessions"
        value={String(health.sessions - health.sessionsAway)}
        note={awayWords(health.sessionsAway)}
      />
      <Figure
        name="Media workers"
        value={`${health.workers.running} of ${health.workers.total}`}
        note={down > 0 ? `${down} down` : adoptionsOf(health.workers.adoptions)}
      />
      <Figure name="Running for" value={spanOf(health.uptimeSeconds)} note={`v${health.version}`} />
    </dl>
  );
}

/** Calls have gone on in another worker: worth a look into the log, no more. */
function adoptionsOf(count: number): string | undefined {
  if (count === 0) return undefined;
  return count === 1 ? "replaced once" : `replaced ${count} times`;
}

function Figure({ name, value, note }: {
  readonly name: string;
  readonly value: string;
  readonly note?: string | undefined;
}) {
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd>{value} {note !== undefined && <small>{note}</small>}</dd>
    </div>
  );
}

function FeedLine({ state }: { readonly state: FeedState }) {
  const words = state.kind === "loading"
    ? "Connecting…"
    : state.kind === "live"
    ? state.isPushed ? "Live" : "Live, asking every 2 s"
    : state.kind === "lost"
    ? "Connection lost"
    : "Signed out";
  return <p class={`line line-${state.kind}`} role="status" data-feed={state.kind}>{words}</p>;
}

function FeedNotice({ state }: { readonly state: FeedState }) {
  if (state.kind === "lost") {
    return (
      <div class="notice notice-error" role="alert">
        <div class="notice-words">
          <p class="notice-text">The connection to the server is lost.</p>
          <p class="notice-hint">
            What you see is from{" "}
            {new Date(state.since).toLocaleTimeString()}. Trying again by itself.
          </p>
        </div>
      </div>
    );
  }
  if (state.kind === "signed-out") {
    return (
      <div class="notice notice-warning" role="alert">
        <div class="notice-words">
          <p class="notice-text">This server wants the operator token.</p>
          <p class="notice-hint">It was printed when the server started.</p>
        </div>
        <a class="button" href="/console">Sign in</a>
      </div>
    );
  }
  return null;
}

function useLooks(feed: Feed): number {
  const [looks, setLooks] = useState(feed.looks);
  useEffect(() => feed.subscribe(() => setLooks(feed.looks)), [feed]);
  return looks;
}
