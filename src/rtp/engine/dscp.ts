/** Marks of packets (differentiated services code points) by kind of media; 0: none. */
export type Dscp = Readonly<Record<"audio" | "video", number>>;

/** Medium priority of RFC 8837 table 1: expedited forwarding and AF42. */
const MARKS: Dscp = { audio: 46, video: 36 };
const NONE: Dscp = { audio: 0, video: 0 };

/** @param isMarked `media.dscp` */
export function dscpOf(isMarked: boolean): Dscp {
  return isMarked ? MARKS : NONE;
}
