/// <reference lib="dom" />
import type { ComponentChildren, Ref } from "preact";
import { useCallback, useEffect, useId, useRef, useState } from "preact/hooks";
import {
  CameraIcon,
  HandsetIcon,
  HangupIcon,
  HoldIcon,
  KeypadIcon,
  MicrophoneIcon,
  ResumeIcon,
  TransferIcon,
} from "../shared/icons.tsx";
import { Keypad } from "./keypad.tsx";
import type { Phone } from "./phone.ts";
import type { CallState } from "./state.ts";
import { TransferForm } from "./transfer_form.tsx";

export function CallControls({ phone, call }: { readonly phone: Phone; readonly call: CallState }) {
  const { calls } = phone;
  if (call.phase === "incoming") {
    return (
      <div class="controls" role="group" aria-label="Incoming call">
        <Control kind="main" onPress={() => void calls.answer(call.key, call.hasVideo)}>
          {call.hasVideo ? <CameraIcon isOff={false} /> : <HandsetIcon />}
          Answer
        </Control>
        {call.hasVideo && (
          <Control onPress={() => void calls.answer(call.key, false)}>
            <HandsetIcon />
            Answer without camera
          </Control>
        )}
        <Control kind="danger" onPress={() => calls.hangup(call.key)}>
          <HangupIcon />
          Decline
        </Control>
      </div>
    );
  }
  return <TalkControls phone={phone} call={call} />;
}

type Drawer = "keypad" | "transfer";

/** The buttons of a call, and one drawer below them where keypad and transfer unfold. */
function TalkControls({ phone, call }: { readonly phone: Phone; readonly call: CallState }) {
  const { calls } = phone;
  const [drawer, setDrawer] = useState<Drawer | null>(null);
  const drawerId = useId();
  const openers = {
    keypad: useRef<HTMLButtonElement>(null),
    transfer: useRef<HTMLButtonElement>(null),
  };
  const isHeld = call.phase === "held";
  const isTalking = call.phase === "active" || isHeld;
  const close = useCallback(() => {
    setDrawer((open) => {
      if (open !== null) openers[open].current?.focus();
      return null;
    });
  }, []);
  useEffect(() => {
    if (!isTalking) setDrawer(null);
  }, [isTalking]);
  useEffect(() => {
    if (drawer !== null) document.getElementById(drawerId)?.scrollIntoView({ block: "nearest" });
  }, [drawer, drawerId]);
  const opener = (which: Drawer) => ({
    buttonRef: openers[which],
    isExpanded: drawer === which,
    ...(drawer === which ? { controls: drawerId } : {}),
    isDisabled: !isTalking,
    onPress: () => setDrawer(drawer === which ? null : which),
  });
  return (
    <>
      <div class="controls" role="group" aria-label="Call controls">
        <Control isPressed={call.isMuted} onPress={() => calls.setMuted(call.key, !call.isMuted)}>
          <MicrophoneIcon isOff={call.isMuted} />
          Mute
        </Control>
        {call.hasCamera && (
          <Control
            isPressed={call.isCameraOff}
            onPress={() => calls.setCameraOff(call.key, !call.isCameraOff)}
          >
            <CameraIcon isOff={call.isCameraOff} />
            Camera off
          </Control>
        )}
        <Control
          isDisabled={!isTalking || call.isHoldPending}
          onPress={() => calls.toggleHold(call.key)}
        >
          {isHeld ? <ResumeIcon /> : <HoldIcon />}
          {isHeld ? "Unhold" : "Hold"}
        </Control>
        <Control {...opener("keypad")}>
          <KeypadIcon />
          Keypad
        </Control>
        <Control {...opener("transfer")}>
          <TransferIcon />
          Transfer
        </Control>
        <Control
          kind="danger"
          isDisabled={call.phase === "ending"}
          onPress={() => calls.hangup(call.key)}
        >
          <HangupIcon />
          Hang up
        </Control>
      </div>
      {drawer === "keypad" && <Keypad phone={phone} call={call} id={drawerId} onClose={close} />}
      {drawer === "transfer" && (
        <TransferForm phone={phone} call={call} id={drawerId} onClose={close} />
      )}
    </>
  );
}

function Control(
  { kind, isPressed, isExpanded, controls, isDisabled, buttonRef, onPress, children }: {
    readonly kind?: "main" | "danger";
    readonly isPressed?: boolean;
    /** It opens a drawer: whether that is open. */
    readonly isExpanded?: boolean;
    /** Id of the open drawer. */
    readonly controls?: string;
    readonly buttonRef?: Ref<HTMLButtonElement>;
    readonly isDisabled?: boolean;
    onPress(): void;
    readonly children: ComponentChildren;
  },
) {
  return (
    <button
      type="button"
      class={`control ${kind === undefined ? "" : `control-${kind}`}`}
      disabled={isDisabled ?? false}
      {...(isPressed === undefined ? {} : { "aria-pressed": isPressed })}
      {...(isExpanded === undefined ? {} : { "aria-expanded": isExpanded })}
      {...(controls === undefined ? {} : { "aria-controls": controls })}
      {...(buttonRef === undefined ? {} : { ref: buttonRef })}
      onClick={onPress}
    >
      {children}
    </button>
  );
}
