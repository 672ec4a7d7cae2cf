/// <reference lib="dom" />
import { useEffect, useRef } from "preact/hooks";
import { streamOf } from "./media.ts";
import { type Meter, openMeter } from "./sound.ts";

const STEP_MS = 80;
/** Screen readers need no more than this. */
const SPOKEN_STEP_MS = 1000;
const FALL = 0.82;

/**
 * Loudness of what a box captures or plays. Writes to the element itself: ten times a second is not
 * for a renderer.
 */
export function LevelMeter({ label, name, box }: {
  readonly label: string;
  readonly name: string;
  readonly box: HTMLElement;
}) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let meter: Meter | undefined;
    let track: MediaStreamTrack | undefined;
    let shown = 0;
    let spokenAt = 0;
    const timer = setInterval(() => {
      const stream = streamOf(box);
      const current = stream?.getAudioTracks()[0];
      if (current !== track) {
        // A changed device brings a new track.
        meter?.close();
        meter = stream === null ? undefined : openMeter(stream);
        track = meter === undefined ? undefined : current;
      }
      shown = Math.max(meter?.level() ?? 0, shown * FALL);
      const target = element.current;
      target?.style.setProperty("--level", shown.toFixed(3));
      if (Date.now() - spokenAt > SPOKEN_STEP_MS) {
        spokenAt = Date.now();
        target?.setAttribute("aria-valuenow", String(Math.round(shown * 100)));
      }
    }, STEP_MS);
    return () => {
      clearInterval(timer);
      meter?.close();
    };
  }, [box]);
  return (
    <div class="meter">
      <span class="meter-name" aria-hidden="true">{name}</span>
      <div
        ref={element}
        class="meter-track"
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={0}
      >
        <div class="meter-fill" />
      </div>
    </div>
  );
}
