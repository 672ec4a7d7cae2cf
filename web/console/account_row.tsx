/// <reference lib="dom" />
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { type AccountView, removeAccount, setPassword } from "./api.ts";
import { ConfirmButton } from "./confirm_button.tsx";

/** One account; what was made here can be changed here. */
export function AccountRow({ account, onChanged, onRemoved }: {
  readonly account: AccountView;
  onChanged(): void;
  onRemoved(): void;
}) {
  const { name, source, number, rights, bindings } = account;
  const [isChanging, setChanging] = useState(false);
  const [said, setSaid] = useState("");
  const opener = useRef<HTMLButtonElement>(null);
  const close = (words: string) => {
    setChanging(false);
    setSaid(words);
    // Once the button is back.
    setTimeout(() => opener.current?.focus());
  };
  return (
    <tr>
      <td>
        <b>{name}</b>
        <p class="narrow sub">
          {number !== null && <span>{number}</span>}
          {rights.length > 0 && <span>{rights.join(", ")}</span>}
        </p>
        <p class="sub" role="status">{said}</p>
      </td>
      <td class="wide">{number ?? "–"}</td>
      <td class="wide">{rights.join(", ") || "–"}</td>
      <td>{bindings === 0 ? "no" : bindings === 1 ? "yes" : `${bindings} times`}</td>
      <td class="action">
        {source === "config"
          ? <span class="sub" title="Change it in the configuration">from the configuration</span>
          : isChanging
          ? (
            <PasswordForm
              name={name}
              onDone={() => {
                close("Password changed.");
                onChanged();
              }}
              onCancel={() => close("")}
            />
          )
          : (
            <span class="confirm">
              <button
                ref={opener}
                type="button"
                class="button"
                aria-label={`Change the password of ${name}`}
                onClick={() => {
                  setSaid("");
                  setChanging(true);
                }}
              >
                Password
              </button>
              <ConfirmButton
                label={`Delete the account ${name}`}
                question={`Delete the account ${name}? Its phones will no longer be reached.`}
                yes="Delete"
                no="Keep"
                working="Deleting…"
                action={() => removeAccount(name)}
                onDone={onRemoved}
              >
                Delete
              </ConfirmButton>
            </span>
          )}
      </td>
    </tr>
  );
}

function PasswordForm({ name, onDone, onCancel }: {
  readonly name: string;
  onDone(): void;
  onCancel(): void;
}) {
  const [password, setText] = useState("");
  const [fault, setFault] = useState("");
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => input.current?.focus(), []);
  const change = async () => {
    try {
      await setPassword(name, password);
      onDone();
    } catch (reason) {
      setFault(reason instanceof Error ? reason.message : String(reason));
    }
  };
  return (
    <form
      class="inline-form"
      onKeyDown={(event) => {
        if (event.key === "Escape") onCancel();
      }}
      onSubmit={(event) => {
        event.preventDefault();
        void change();
      }}
    >
      <input
        ref={input}
        required
        type="password"
        autocomplete="new-password"
        aria-label={`New password of ${name}`}
        placeholder="New password"
        value={password}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <span class="confirm">
        <button type="submit" class="button button-main">Save</button>
        <button type="button" class="button" onClick={onCancel}>Cancel</button>
      </span>
      {fault !== "" && <p class="bad" role="alert">{fault}</p>}
    </form>
  );
}
