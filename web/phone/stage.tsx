/// <reference lib="dom" />
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { clockOf, percentOf } from "../shared/format.ts";
import { useNow } from "../shared/hooks.ts";
import { CallControls } from "./call_controls.tsx";
import { LevelMeter } from "./level_meter.tsx";
import { streamOf } from "./media.ts";
import type { Phone } from "./phone.ts";
import type { CallState, Quality } from "./state.ts";
import { callWords, holdWords } from "./words.ts";

/**
 * One call: both pictures, how it stands, and its controls. Hidden, but playing, while it waits.
 */
export function Stage({ phone, call, isOnStage }: {
  readonly phone: Phone;
  readonly call: CallState;
  readonly isOnStage: boolean;
}) {
  const remote = phone.calls.box(call.key, "remote");
  const local = phone.calls.box(call.key, "local");
  const hasPicture = usePicture(remote);
  const heading = useRef<HTMLHeadingElement>(null);
  const isIncoming = call.phase === "incoming";
  useEffect(() => {
    // The form or the Answer that had the focus is gone; whoever types goes on from here.
    if (isOnStage && document.activeElement === document.body) heading.current?.focus();
  }, [isOnStage, isIncoming]);
  if (remote === undefined || local === undefined) return null;
  const isTalking = call.phase === "active" || call.phase === "held";
  return (
    <section
      class={`stage ${hasPicture ? "stage-video" : "stage-audio"}`}
      hidden={!isOnStage}
      aria-label={`Call: ${call.peer}`}
      data-phase={call.phase}
    >
      <div class="tiles">
        <figure class="tile tile-remote">
          <Box element={remote} />
          {!hasPicture && <Avatar name={call.peer} isRinging={!isTalking} />}
          <figcaption>{call.peer}</figcaption>
        </figure>
        <figure class="tile tile-local" hidden={!call.hasCamera}>
          <Box element={local} />
          {call.isCameraOff && <p class="tile-note">Camera off</p>}
          <figcaption>You</figcaption>
        </figure>
      </div>
      {isOnStage && <Words call={call} heading={heading} />}
      {isOnStage && isTalking && (
        <div class="meters">
          <LevelMeter label={`Level of ${call.peer}`} name={call.peer} box={remote} />
          <LevelMeter label="Your level" name={call.isMuted ? "You (muted)" : "You"} box={local} />
        </div>
      )}
      {isOnStage && isTalking && call.quality !== null && <QualityLine quality={call.quality} />}
      {isOnStage && <CallControls phone={phone} call={call} />}
    </section>
  );
}

function Words({ call, heading }: {
  readonly call: CallState;
  readonly heading: RefObject<HTMLHeadingElement | null>;
}) {
  return (
    <div class="stage-words">
      {/* Each change of the call is spoken. */}
      <div role={call.phase === "incoming" ? "alert" : "status"}>
        <h1 ref={heading} tabIndex={-1}>{callWords(call)}</h1>
      </div>
      {call.connectedAt !== null && <Timer since={call.connectedAt} />}
      <p class="hold-words" role="status">{holdWords(call)}</p>
    </div>
  );
}

function Timer({ since }: { readonly since: number }) {
  const now = useNow();
  return (
    <p class="timer" role="timer" aria-label="Call duration">{clockOf((now - since) / 1000)}</p>
  );
}

function Avatar({ name, isRinging }: { readonly name: string; readonly isRinging: boolean }) {
  return (
    <div class={`avatar ${isRinging ? "avatar-ringing" : ""}`} aria-hidden="true">
      {[...name][0]?.toUpperCase()}
    </div>
  );
}

function QualityLine({ quality }: { readonly quality: Quality }) {
  const parts = [
    quality.codecs.join(" and ") || "nothing received yet",
    `${percentOf(quality.lossPercent)} lost`,
    ...(quality.roundTripMs === null ? [] : [`${quality.roundTripMs.toFixed(0)} ms round trip`]),
  ];
  return <p class="quality">{parts.join(" · ")}</p>;
}

/**
 * Takes in an element that the SDK fills; it is never taken out while the call lives, or it would
 * pause.
 */
function Box({ element }: { readonly element: HTMLElement }) {
  const holder = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    holder.current?.append(element);
  }, [element]);
  return <div class="holder" ref={holder} />;
}

/** Whether pictures arrive in a box. The SDK makes the video element, so it is looked for. */
function usePicture(box: HTMLElement | undefined): boolean {
  const [hasPicture, setHasPicture] = useState(false);
  useEffect(() => {
    if (box === undefined) return;
    const look = () => {
      const video = box.querySelector("video");
      const track = streamOf(box)?.getVideoTracks()[0];
      setHasPicture(
        video !== null && video.videoWidth > 0 && track !== undefined && !track.muted,
      );
    };
    const timer = setInterval(look, 400);
    return () => clearInterval(timer);
  }, [box]);
  return hasPicture;
}
