/// <reference lib="dom" />
import { useEffect, useState } from "preact/hooks";
import { Mark } from "../shared/icons.tsx";
import { ConnectionPanel } from "./connection_panel.tsx";
import { DevicePanel } from "./device_panel.tsx";
import { DialForm } from "./dial_form.tsx";
import { LoginForm } from "./login_form.tsx";
import { NoticeBar } from "./notice_bar.tsx";
import type { Phone } from "./phone.ts";
import { RingingBanner, WaitingCalls } from "./side_calls.tsx";
import { initialSettings } from "./settings.ts";
import { Stage } from "./stage.tsx";
import { isOnline, type PhoneState, stageCall } from "./state.ts";
import { callWords, lineWords } from "./words.ts";

export function App({ phone }: { readonly phone: Phone }) {
  const state = usePhoneState(phone);
  const [settings, setSettings] = useState(() => initialSettings(location));
  const online = isOnline(state.line);
  const stage = stageCall(state);
  useTitle(state);
  useEffect(() => {
    setSettings((old) => state.authToken === "" ? old : { ...old, authToken: state.authToken });
  }, [state.authToken]);
  useEffect(() => {
    const leave = () => phone.calls.hangupAll();
    addEventListener("pagehide", leave);
    return () => removeEventListener("pagehide", leave);
  }, [phone]);

  return (
    <>
      <header class="bar">
        <a class="brand" href="/">
          <Mark />
          Port Zero
        </a>
        <p class={`line line-${state.line}`} role="status" data-line={state.line}>
          {lineWords(state.line, state.me)}
        </p>
        <a class="bar-link" href="/console">Console</a>
      </header>
      <main class={online ? "desk" : "door"}>
        <div class="column">
          <div class="notices" aria-live="polite">
            {state.notice !== null && (
              <NoticeBar phone={phone} notice={state.notice} canCall={online && !stage} />
            )}
          </div>
          {online && <RingingBanner phone={phone} state={state} />}
          {state.calls.map((call) => (
            <Stage
              key={call.key}
              phone={phone}
              call={call}
              isOnStage={call.key === state.activeKey}
            />
          ))}
          {online && <WaitingCalls phone={phone} state={state} />}
          {online && stage === undefined && <DialForm phone={phone} state={state} />}
          {!online && (
            <LoginForm
              phone={phone}
              line={state.line}
              isUnfolded={state.notice?.opensConnection ?? false}
              settings={settings}
              onChange={setSettings}
            />
          )}
        </div>
        {online && (
          <aside class="column side" aria-label="Devices and connection">
            <DevicePanel phone={phone} />
            <ConnectionPanel
              phone={phone}
              line={state.line}
              settings={settings}
              onChange={setSettings}
            />
          </aside>
        )}
      </main>
    </>
  );
}

function usePhoneState(phone: Phone): PhoneState {
  const [state, setState] = useState(phone.state);
  useEffect(() => {
    setState(phone.state);
    return phone.subscribe(() => setState(phone.state));
  }, [phone]);
  return state;
}

function useTitle(state: PhoneState): void {
  const call = state.calls.find((one) => one.phase === "incoming") ?? stageCall(state);
  const title = call !== undefined
    ? `${callWords(call)} · Port Zero`
    : isOnline(state.line)
    ? `${state.me} · Port Zero`
    : "Port Zero";
  useEffect(() => {
    document.title = title;
  }, [title]);
}
