/// <reference lib="dom" />
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { CameraIcon, HandsetIcon } from "../shared/icons.tsx";
import type { Phone } from "./phone.ts";
import { suggestedCallee } from "./settings.ts";
import type { PhoneState } from "./state.ts";

/** Typed once, kept over the calls of this page. */
let lastCallee = suggestedCallee(location);
let lastMedia: "audio" | "video" = "audio";

export function DialForm({ phone, state }: { readonly phone: Phone; readonly state: PhoneState }) {
  const [callee, setCallee] = useState(lastCallee);
  const [media, setMedia] = useState(lastMedia);
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    // Only where nothing else has the focus: the form also comes back after each call.
    if (document.activeElement === document.body) input.current?.focus();
  }, []);
  const isReady = state.line === "online";
  return (
    <section class="card dial" aria-labelledby="dial-title">
      <h1 id="dial-title">Whom do you want to call?</h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!phone.dial(callee, media === "video")) input.current?.focus();
        }}
      >
        <label class="field field-large">
          <span class="label">Callee</span>
          <input
            ref={input}
            name="callee"
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            placeholder="bob"
            value={callee}
            onInput={(event) => {
              lastCallee = event.currentTarget.value;
              setCallee(lastCallee);
            }}
          />
        </label>
        <div class="dial-row">
          <fieldset class="choice">
            <legend class="unseen">Call with</legend>
            {(["audio", "video"] as const).map((kind) => (
              <label key={kind}>
                <input
                  type="radio"
                  name="media"
                  value={kind}
                  checked={media === kind}
                  onChange={() => {
                    lastMedia = kind;
                    setMedia(kind);
                  }}
                />
                <span>{kind === "audio" ? "Audio" : "Video"}</span>
              </label>
            ))}
          </fieldset>
          <button type="submit" class="button button-main button-large" disabled={!isReady}>
            {media === "audio" ? <HandsetIcon /> : <CameraIcon isOff={false} />}
            Call
          </button>
        </div>
      </form>
      <p class="aside">
        Trying it alone?{" "}
        <a href={`/?call=${encodeURIComponent(state.me)}`} target="_blank" rel="noopener">
          Open a second window
        </a>, type another name there, and call {state.me}.
      </p>
    </section>
  );
}
