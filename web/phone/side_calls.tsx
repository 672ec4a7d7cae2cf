/// <reference lib="dom" />
import { HandsetIcon, HangupIcon, ResumeIcon } from "../shared/icons.tsx";
import type { Phone } from "./phone.ts";
import { type PhoneState, ringingCalls, waitingCalls } from "./state.ts";
import { callWords } from "./words.ts";

/** Somebody calls while another call has the stage. */
export function RingingBanner({ phone, state }: {
  readonly phone: Phone;
  readonly state: PhoneState;
}) {
  return (
    <>
      {ringingCalls(state).map((call) => (
        <section key={call.key} class="card side-call" aria-label={`Incoming call: ${call.peer}`}>
          <p role="alert">{callWords(call)}</p>
          <div class="row">
            <button
              type="button"
              class="button button-main"
              onClick={() =>
                void phone.calls.answer(call.key, call.hasVideo)}
            >
              <HandsetIcon />Hold and answer
            </button>
            <button
              type="button"
              class="button button-danger"
              onClick={() =>
                phone.calls.hangup(call.key)}
            >
              <HangupIcon />Decline
            </button>
          </div>
        </section>
      ))}
    </>
  );
}

export function WaitingCalls({ phone, state }: {
  readonly phone: Phone;
  readonly state: PhoneState;
}) {
  const waiting = waitingCalls(state);
  if (waiting.length === 0) return null;
  return (
    <section class="card waiting" aria-labelledby="waiting-title">
      <h2 id="waiting-title">Other calls</h2>
      <ul>
        {waiting.map((call) => (
          <li key={call.key} class="row">
            <span class="grow">{callWords(call)}</span>
            <button type="button" class="button" onClick={() => phone.calls.resume(call.key)}>
              <ResumeIcon />Switch to {call.peer}
            </button>
            <button
              type="button"
              class="button button-bare"
              aria-label={`Hang up ${call.peer}`}
              onClick={() => phone.calls.hangup(call.key)}
            >
              <HangupIcon />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
