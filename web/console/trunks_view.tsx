/// <reference lib="dom" />
import { secondsSince, spanOf } from "../shared/format.ts";
import { useNow } from "../shared/hooks.ts";
import { fetchTrunks, type TrunkView } from "./api.ts";
import { useFresh } from "./fresh.ts";
import { Empty, Section } from "./parts.tsx";
import { trunkStateWords } from "./words.ts";

/** Ways to carriers and gateways, and whether they work. */
export function TrunksView({ looks }: { readonly looks: number }) {
  const { value } = useFresh(fetchTrunks, looks);
  const trunks = value?.items ?? [];
  const now = useNow();
  return (
    <Section id="trunks" title="Trunks" count={trunks.length}>
      {value === undefined ? <p class="aside">Asking the server…</p> : trunks.length === 0
        ? (
          <Empty>
            <p>No trunk is configured.</p>
            <p>
              A trunk leads to a carrier or a gateway, for calls to and from telephone numbers. Put
              it under <code>trunks</code> in the configuration, with a{" "}
              <code>dialPlan</code>; config/production.example.jsonc shows both.
            </p>
          </Empty>
        )
        : (
          <table aria-labelledby="trunks">
            <thead>
              <tr>
                <th scope="col">Trunk</th>
                <th scope="col" class="wide">State</th>
                <th scope="col" class="wide">Where to</th>
                <th scope="col" class="wide number">Priority</th>
                <th scope="col" class="number">Since</th>
              </tr>
            </thead>
            <tbody>
              {trunks.map((trunk) => (
                <tr key={trunk.name}>
                  <td>
                    <b>{trunk.name}</b>
                    <div class="narrow sub">
                      <Health trunk={trunk} />
                      <span>{whereTo(trunk)}</span>
                    </div>
                  </td>
                  <td class="wide">
                    <Health trunk={trunk} />
                  </td>
                  <td class="wide">
                    {whereTo(trunk)} <span class="sub">{trunk.transport}</span>
                  </td>
                  <td class="wide number">{trunk.priority}</td>
                  <td class="number">{spanOf(secondsSince(trunk.since, now))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
    </Section>
  );
}

function Health({ trunk }: { readonly trunk: TrunkView }) {
  return (
    <>
      <span class={`tag tag-${trunk.state}`} data-state={trunk.state}>
        {trunkStateWords(trunk)}
      </span>
      {trunk.reason !== null && <p class={trunk.state === "down" ? "bad" : "sub"}>{trunk.reason}
      </p>}
    </>
  );
}

function whereTo({ host, port }: TrunkView): string {
  return port === null ? host : `${host}:${port}`;
}
