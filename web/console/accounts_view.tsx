/// <reference lib="dom" />
import { useRef, useState } from "preact/hooks";
import { AccountRow } from "./account_row.tsx";
import { type AccountView, createAccount, fetchAccounts } from "./api.ts";
import { useFresh } from "./fresh.ts";
import { useListTools } from "./list_tools.tsx";
import { Cut, Empty, Section } from "./parts.tsx";

/** Who may register with a password. */
export function AccountsView({ looks }: { readonly looks: number }) {
  const { value, refresh } = useFresh(fetchAccounts, looks);
  const accounts = value?.items ?? [];
  const { rows, filter, more } = useListTools(accounts, "accounts", textOf);
  const name = useRef<HTMLInputElement>(null);
  return (
    <Section id="accounts" title="Accounts" count={accounts.length}>
      <NewAccount nameField={name} onMade={refresh} />
      {filter}
      {value === undefined ? <p class="aside">Asking the server…</p> : accounts.length === 0
        ? (
          <Empty>
            <p>There is no account.</p>
            <p>
              Phones and mobile apps register with one; browsers on SIP Port 0 need none. Make one
              above, or put it under <code>sip.accounts</code> in the configuration.
            </p>
          </Empty>
        )
        : (
          <table aria-labelledby="accounts">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col" class="wide">Number</th>
                <th scope="col" class="wide">Rights</th>
                <th scope="col">Registered</th>
                <th scope="col">
                  <span class="unseen">Change</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((account) => (
                <AccountRow
                  key={account.name}
                  account={account}
                  onChanged={refresh}
                  onRemoved={() => {
                    refresh();
                    // The row that had the focus is gone.
                    name.current?.focus();
                  }}
                />
              ))}
            </tbody>
          </table>
        )}
      {more}
      {value?.hasMore && <Cut />}
    </Section>
  );
}

function NewAccount({ nameField, onMade }: {
  readonly nameField: { current: HTMLInputElement | null };
  onMade(): void;
}) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [number, setNumber] = useState("");
  const [rights, setRights] = useState("");
  const [outcome, setOutcome] = useState<{ readonly isBad: boolean; readonly text: string }>();
  const make = async () => {
    try {
      await createAccount({
        name: name.trim(),
        password,
        number: number.trim() || null,
        rights: rights.split(/[\s,]+/).filter((word) => word !== ""),
      });
      setOutcome({ isBad: false, text: `A phone may register as ${name.trim()} now.` });
      setName("");
      setPassword("");
      setNumber("");
      setRights("");
      onMade();
    } catch (reason) {
      const text = reason instanceof Error ? reason.message : String(reason);
      setOutcome({ isBad: true, text });
    }
    nameField.current?.focus();
  };
  return (
    <form
      class="inline-form new-account"
      aria-label="New account"
      onSubmit={(event) => {
        event.preventDefault();
        void make();
      }}
    >
      <label class="field">
        <span class="label">Name</span>
        <input
          ref={nameField}
          required
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          placeholder="desk-12"
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <label class="field">
        <span class="label">Password</span>
        <input
          required
          type="password"
          autocomplete="new-password"
          value={password}
          onInput={(event) => setPassword(event.currentTarget.value)}
        />
      </label>
      <label class="field">
        <span class="label">Number on trunks (optional)</span>
        <input
          type="tel"
          autocomplete="off"
          placeholder="+4930123"
          value={number}
          onInput={(event) => setNumber(event.currentTarget.value)}
        />
      </label>
      <label class="field">
        <span class="label">Rights (optional)</span>
        <input
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          placeholder="pstn"
          title="Words that the dial plan uses, separated by commas"
          value={rights}
          onInput={(event) => setRights(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="button button-main">Add account</button>
      <p role={outcome?.isBad ? "alert" : "status"} class={outcome?.isBad ? "bad" : "sub"}>
        {outcome?.text}
      </p>
    </form>
  );
}

function textOf({ name, number, rights }: AccountView): string {
  return [name, number ?? "", ...rights].join(" ");
}
