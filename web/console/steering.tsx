/// <reference lib="dom" />
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { type CallView, sendDigits, setHold, transferCall } from "./api.ts";
import { hasClient } from "./model.ts";
import { otherOf, ownerOf } from "./words.ts";

type Tool = "digits" | "transfer";

interface Said {
  readonly isBad: boolean;
  readonly text: string;
}

/** What an operator may do in place of one side: hold, digits, transfer. */
export function Steering({ call, onChanged }: { readonly call: CallView; onChanged(): void }) {
  const [tool, setTool] = useState<Tool | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [said, setSaid] = useState<Said | null>(null);
  const openers = {
    digits: useRef<HTMLButtonElement>(null),
    transfer: useRef<HTMLButtonElement>(null),
  };
  const isTalking = call.state === "active" || call.state === "held";
  if (!isTalking) return null;
  if (!hasClient(call)) {
    return (
      <div class="steering">
        <p class="sub">
          Two phones talk: they hold, press digits and transfer themselves. Here the call can only
          be ended.
        </p>
      </div>
    );
  }
  const [owner, other] = [ownerOf(call), otherOf(call)];
  const isHeld = call.hold.local;
  const run = async (action: Promise<void>, done: string): Promise<boolean> => {
    setBusy(true);
    setSaid(null);
    try {
      await action;
      setSaid({ isBad: false, text: done });
      return true;
    } catch (reason) {
      setSaid({ isBad: true, text: reason instanceof Error ? reason.message : String(reason) });
      return false;
    } finally {
      setBusy(false);
      onChanged();
    }
  };
  const close = () => {
    if (tool !== null) openers[tool].current?.focus();
    setTool(null);
  };
  const opener = (which: Tool, words: string) => (
    <button
      ref={openers[which]}
      type="button"
      class="button"
      aria-expanded={tool === which}
      disabled={isBusy}
      onClick={() => {
        setSaid(null);
        setTool(tool === which ? null : which);
      }}
    >
      {words}
    </button>
  );
  return (
    <div class="steering" role="group" aria-label={`In place of ${owner}`}>
      <div class="row">
        <button
          type="button"
          class="button"
          disabled={isBusy}
          onClick={() =>
            void run(
              setHold(call.id, !isHeld),
              isHeld ? `${owner} and ${other} talk on.` : `${owner} holds ${other}.`,
            )}
        >
          {isHeld ? "Unhold" : "Hold"}
        </button>
        {opener("digits", "Send digits")}
        {opener("transfer", "Transfer")}
      </div>
      {tool === "digits" && (
        <OneField
          key="digits"
          label={`Digits to ${other}`}
          placeholder="1234#"
          pattern="[0-9*#A-Da-d]{1,64}"
          hint="0 to 9, *, # and A to D"
          verb="Send"
          isBusy={isBusy}
          onClose={close}
          onSend={(digits) => run(sendDigits(call.id, digits), `${digits} sent to ${other}.`)}
        />
      )}
      {tool === "transfer" && (
        <OneField
          key="transfer"
          label={`Hand ${other} on to`}
          placeholder="carol"
          verb="Transfer now"
          isBusy={isBusy}
          onClose={close}
          onSend={async (target) => {
            const words = `${target} is being called; ${owner} leaves when they talk.`;
            const isDone = await run(transferCall(call.id, target), words);
            if (isDone) close();
            return isDone;
          }}
        />
      )}
      <p role={said?.isBad ? "alert" : "status"} class={said?.isBad ? "bad" : "sub"}>
        {said?.text}
      </p>
    </div>
  );
}

function OneField({ label, placeholder, pattern, hint, verb, isBusy, onSend, onClose }: {
  readonly label: string;
  readonly placeholder: string;
  readonly pattern?: string;
  readonly hint?: string;
  readonly verb: string;
  readonly isBusy: boolean;
  /** @returns whether that has worked */
  onSend(text: string): Promise<boolean>;
  onClose(): void;
}) {
  const [text, setText] = useState("");
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => input.current?.focus(), []);
  return (
    <form
      class="inline-form"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        onClose();
      }}
      onSubmit={(event) => {
        event.preventDefault();
        void onSend(text.trim()).then((isDone) => isDone && setText(""));
      }}
    >
      <label class="field">
        <span class="label">{label}</span>
        <input
          required
          ref={input}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          placeholder={placeholder}
          {...(pattern === undefined ? {} : { pattern })}
          {...(hint === undefined ? {} : { title: hint })}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="button button-main" disabled={isBusy}>{verb}</button>
    </form>
  );
}
