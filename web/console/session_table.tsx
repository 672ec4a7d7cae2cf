/// <reference lib="dom" />
import { clockOf, secondsSince } from "../shared/format.ts";
import { useNow } from "../shared/hooks.ts";
import { type SessionView } from "./api.ts";
import { useListTools } from "./list_tools.tsx";
import { Cut, Empty, Section } from "./parts.tsx";
import { awayWords, clientWords, outsideWords, sessionStateWords } from "./words.ts";

export function SessionTable({ sessions, hasMore }: {
  readonly sessions: readonly SessionView[];
  readonly hasMore: boolean;
}) {
  const there = sessions.filter(({ state }) => state !== "detached");
  const away = sessions.filter(({ state }) => state === "detached");
  const { rows, filter, more } = useListTools(there, "sessions", textOf);
  return (
    <Section
      id="sessions"
      title="Sessions"
      count={there.length}
      note={awayWords(away.length)}
    >
      {filter}
      {there.length === 0
        ? (
          <Empty>
            <p>Nobody is connected.</p>
            <p>
              A session begins when somebody types a name on the{" "}
              <a href="/" target="_blank" rel="noopener">phone page</a>, or an application connects.
            </p>
          </Empty>
        )
        : <Rows sessions={rows} labelledBy="sessions" />}
      {more}
      {away.length > 0 && <Away sessions={away} />}
      {hasMore && <Cut />}
    </Section>
  );
}

/** Apart from the others: whoever loads a page anew leaves one behind. */
function Away({ sessions }: { readonly sessions: readonly SessionView[] }) {
  const { rows, filter, more } = useListTools(sessions, "sessions that are away", textOf);
  return (
    <details class="away">
      <summary id="sessions-away">{awayWords(sessions.length)}</summary>
      <p class="aside">
        Their connections are gone: a page was closed or loaded anew, or the network failed. Each is
        kept for a while in case its client comes back with its token; it has no calls, and it ends
        by itself.
      </p>
      {filter}
      <Rows sessions={rows} labelledBy="sessions-away" />
      {more}
    </details>
  );
}

function Rows({ sessions, labelledBy }: {
  readonly sessions: readonly SessionView[];
  readonly labelledBy: string;
}) {
  const now = useNow();
  return (
    <table aria-labelledby={labelledBy}>
      <thead>
        <tr>
          <th scope="col">Login</th>
          <th scope="col" class="wide">State</th>
          <th scope="col" class="wide">Address</th>
          <th scope="col" class="wide roomy">Client</th>
          <th scope="col" class="number">Calls</th>
          <th scope="col" class="number">Since</th>
        </tr>
      </thead>
      <tbody>
        {sessions.map((session) => (
          <tr key={session.id}>
            <td>
              <b>{session.login}</b> <span class="sub">@{session.domain}:{session.port}</span>
              {session.outside !== null && (
                <p class={session.outside.registration === "failing" ? "bad" : "sub"}>
                  {outsideWords(session.outside)}
                </p>
              )}
              <p class="narrow sub">
                <SessionTag state={session.state} />
                <span>{session.remoteAddress ?? ""}</span>
              </p>
            </td>
            <td class="wide">
              <SessionTag state={session.state} />
            </td>
            <td class="wide fixed">{session.remoteAddress ?? "–"}</td>
            <td class="wide roomy" title={session.client}>{clientWords(session.client)}</td>
            <td class="number">{session.calls}</td>
            <td class="number">{clockOf(secondsSince(session.since, now))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function textOf(session: SessionView): string {
  const { login, domain, port, state, remoteAddress, client, outside } = session;
  const words = [sessionStateWords(state), outside === null ? "" : outsideWords(outside)];
  return [login, `@${domain}:${port}`, ...words, remoteAddress ?? "", client].join(" ");
}

function SessionTag({ state }: { readonly state: SessionView["state"] }) {
  return <span class={`tag tag-${state}`} data-state={state}>{sessionStateWords(state)}</span>;
}
