import type { Anchors } from "./anchors.ts";
import type { WireDialog } from "./wire_dialog.ts";

/** Longest way from anchor to anchor that is looked at for a ring of legs. */
const MAX_RING = 64;

/**
 * Why an anchor may not send to these places, in words; undefined where it may. Media that comes
 * back to the leg that it left would run for ever: by the leg's own port, or over other legs of
 * ours. Any other port of ours is a place like every other.
 */
export function ringFault(
  anchors: Anchors,
  self: WireDialog,
  places: readonly string[],
): string | undefined {
  let owner = anchors.receivingAt(places);
  if (owner === self) return "the offer names the port of its own leg";
  for (let step = 0; step < MAX_RING; step++) {
    // What arrives there leaves by the leg that it is joined with.
    const beyond = owner && anchors.withToken(owner.peer);
    if (!beyond) return undefined;
    if (beyond === self) return "the offer closes a ring of legs";
    owner = anchors.receivingAt(beyond.phone?.remotePlaces ?? []);
  }
  return "the offer leads over too many legs";
}
