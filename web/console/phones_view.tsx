/// <reference lib="dom" />
import { useCallback, useEffect, useState } from "preact/hooks";
import { spanOf } from "../shared/format.ts";
import { useNow } from "../shared/hooks.ts";
import { fetchPhones, type RegistrationView } from "./api.ts";
import { useFresh } from "./fresh.ts";
import { useListTools } from "./list_tools.tsx";
import { Cut, Empty, Section } from "./parts.tsx";

/** SIP phones and soft phones that are registered here. */
export function PhonesView({ looks }: { readonly looks: number }) {
  const [asked, setAsked] = useState("");
  const { value } = useFresh(useCallback(() => fetchPhones(asked), [asked]), looks);
  const phones = value?.items ?? [];
  const { query, rows, filter, more } = useListTools(phones, "phones", textOf);
  // Where there are more than stand here, the server looks through all of them.
  const isCut = value?.hasMore === true || asked !== "";
  useEffect(() => setAsked(isCut ? query : ""), [isCut, query]);
  const now = useNow();
  return (
    <Section id="phones" title="Phones" count={phones.length}>
      {filter}
      {value === undefined
        ? <p class="aside">Asking the server…</p>
        : phones.length === 0 && query === ""
        ? (
          <Empty>
            <p>No SIP phone is registered.</p>
            <p>
              Give a phone this server as registrar (port 5060, UDP or TCP, unless the configuration
              says otherwise), and a name and password of an{" "}
              <a href="#view=accounts">account</a>. Browsers stand under{" "}
              <a href="#view=calls">Sessions</a>.
            </p>
          </Empty>
        )
        : (
          <table aria-labelledby="phones">
            <thead>
              <tr>
                <th scope="col">Address</th>
                <th scope="col" class="wide">Contact</th>
                <th scope="col" class="wide">Came from</th>
                <th scope="col" class="wide roomy">Phone</th>
                <th scope="col" class="number">Expires in</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((phone) => (
                <tr key={`${phone.aor} ${phone.contact} ${phone.source}`}>
                  <td>
                    <b>{userOf(phone.aor)}</b> <span class="sub">@{domainOf(phone.aor)}</span>
                    <p class="narrow sub">
                      <span>{phone.transport} {phone.source}</span>
                      <span>{phone.userAgent ?? ""}</span>
                    </p>
                  </td>
                  <td class="wide code">{phone.contact}</td>
                  <td class="wide">
                    {phone.source} <span class="sub">{phone.transport}</span>
                  </td>
                  <td class="wide roomy">{phone.userAgent ?? "–"}</td>
                  <td class="number">
                    {spanOf(Math.max(0, (Date.parse(phone.expiresAt) - now) / 1000))}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      {more}
      {value?.hasMore && <Cut />}
    </Section>
  );
}

function textOf({ aor, contact, source, transport, userAgent }: RegistrationView): string {
  return [aor, contact, source, transport, userAgent ?? ""].join(" ");
}

const userOf = (aor: string) => aor.replace(/^sips?:/, "").replace(/@.*$/, "");
const domainOf = (aor: string) => aor.replace(/^.*@/, "");
