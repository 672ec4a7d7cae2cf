import type { Direction, Sdp } from "./model.ts";

/** Directions as two bits, from the view of whoever writes them. */
function bits(direction: Direction): { send: boolean; receive: boolean } {
  return {
    send: direction === "sendrecv" || direction === "sendonly",
    receive: direction === "sendrecv" || direction === "recvonly",
  };
}

function fromBits(send: boolean, receive: boolean): Direction {
  if (send) return receive ? "sendrecv" : "sendonly";
  return receive ? "recvonly" : "inactive";
}

export function isDirection(text: string): text is Direction {
  return text === "sendrecv" || text === "sendonly" || text === "recvonly" || text === "inactive";
}

/** What both allow. */
export function intersect(a: Direction, b: Direction): Direction {
  const x = bits(a);
  const y = bits(b);
  return fromBits(x.send && y.send, x.receive && y.receive);
}

/** The same as the other side sees it. */
export function reverse(direction: Direction): Direction {
  const { send, receive } = bits(direction);
  return fromBits(receive, send);
}

/** True where whoever wrote it sends. */
export function sends(direction: Direction): boolean {
  return bits(direction).send;
}

/**
 * The direction of the description as a whole, from its writer's view: of its first live audio
 * section, else of its first live video section; `inactive` where nothing is live.
 */
export function directionOf(sdp: Sdp): Direction {
  const live = sdp.media.filter((section) => !section.rejected && section.kind !== "other");
  const first = live.find((section) => section.kind === "audio") ?? live[0];
  return first?.direction ?? "inactive";
}
