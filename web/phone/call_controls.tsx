/// <reference lib="dom" />
import type { ComponentChildren } from "preact";
import {
  CameraIcon,
  HandsetIcon,
  HangupIcon,
  HoldIcon,
  MicrophoneIcon,
  ResumeIcon,
} from "../shared/icons.tsx";
import type { Phone } from "./phone.ts";
import type { CallState } from "./state.ts";

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
  const isHeld = call.phase === "held";
  const canHold = (call.phase === "active" || isHeld) && !call.isHoldPending;
  return (
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
      <Control isDisabled={!canHold} onPress={() => calls.toggleHold(call.key)}>
        {isHeld ? <ResumeIcon /> : <HoldIcon />}
        {isHeld ? "Unhold" : "Hold"}
      </Control>
      <Control
        kind="danger"
        isDisabled={call.phase === "ending"}
        onPress={() => calls.hangup(call.key)}
      >
        <HangupIcon />
        Hangup
      </Control>
    </div>
  );
}

function Control({ kind, isPressed, isDisabled, onPress, children }: {
  readonly kind?: "main" | "danger";
  readonly isPressed?: boolean;
  readonly isDisabled?: boolean;
  onPress(): void;
  readonly children: ComponentChildren;
}) {
  return (
    <button
      type="button"
      class={`control ${kind === undefined ? "" : `control-${kind}`}`}
      disabled={isDisabled ?? false}
      {...(isPressed === undefined ? {} : { "aria-pressed": isPressed })}
      onClick={onPress}
    >
      {children}
    </button>
  );
}
