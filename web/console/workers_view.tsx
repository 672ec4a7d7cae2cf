/// <reference lib="dom" />
import { percentOf } from "../shared/format.ts";
import { fetchWorkers, type WorkerView } from "./api.ts";
import { useFresh } from "./fresh.ts";
import { Section } from "./parts.tsx";
import { workerStateWords, workerWords } from "./words.ts";

/** Threads that relay media, and those that transcode it. */
export function WorkersView({ looks }: { readonly looks: number }) {
  const { value } = useFresh(fetchWorkers, looks);
  const workers = value?.items ?? [];
  return (
    <Section id="workers" title="Workers" count={workers.length}>
      {value === undefined
        ? <p class="aside">Asking the server…</p>
        : (
          <table aria-labelledby="workers">
            <thead>
              <tr>
                <th scope="col">Worker</th>
                <th scope="col" class="wide">State</th>
                <th scope="col">At work</th>
                <th scope="col" class="wide number">Load</th>
                <th scope="col" class="number">Restarts</th>
              </tr>
            </thead>
            <tbody>
              {workers.map((worker) => {
                const { name, what, isMedia } = workerWords(worker);
                return (
                  <tr key={name}>
                    <td>
                      <b>{name}</b> <span class="sub">{isMedia ? "relays" : "transcodes"}</span>
                      <p class="narrow sub">
                        <WorkerTag worker={worker} />
                      </p>
                    </td>
                    <td class="wide">
                      <WorkerTag worker={worker} />
                    </td>
                    <td>{what}</td>
                    <td class="wide number">
                      {worker.kind === "codec" ? percentOf(100 * worker.load) : "–"}
                    </td>
                    <td class="number">{worker.restarts}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        )}
      {value !== undefined && workers.every(({ kind }) => kind === "media") && (
        <p class="aside">Nothing is transcoded: no codec worker runs.</p>
      )}
    </Section>
  );
}

function WorkerTag({ worker: { state } }: { readonly worker: WorkerView }) {
  return <span class={`tag tag-${state}`} data-state={state}>{workerStateWords(state)}</span>;
}
