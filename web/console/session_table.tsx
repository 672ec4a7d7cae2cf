/// <reference lib="dom" />
import { clockOf, secondsSince } from "../shared/format.ts";
import { useNow } from "../shared/hooks.ts";
import { type SessionView } from "./api.ts";
import { useListTools } from "./list_tools.tsx";
import { Cut, Empty, Section } from "./parts.tsx";
import { clientWords, outsideWords, sessionStateWords } from "./words.ts";

export function SessionTable({ sessions, hasMore }: {
  readonly sessions: readonly SessionView[];
  readonly hasMore: boolean;
}) {
  const now = useNow();
  const { rows, filter, more } = useListTools(sessions, "sessions", textOf);
  return (
    <Section id="sessions" title="Sessions" count={sessions.length}>
      {filter}
      {sessions.length === 0
        ? (
          <Empty>
            <p>Nobody is connected.</p>
            <p>
              A session begins when somebody types a name on the{" "}
              <a href="/" target="_blank" rel="noopener">phone page</a>, or an application connects.
            </p>
          </Empty>
        )
        : (
          <table aria-labelledby="sessions">
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
              {rows.map((session) => (
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
        )}
      {more}
      {hasMore && <Cut />}
    </Section>
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
