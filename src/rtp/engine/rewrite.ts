/**
 * What happens to the packets of one endpoint between unprotecting them and protecting them for its
 * peer. Legs that negotiated the same payload types and extension ids have none (null): the identity,
 * which keeps NACK, PLI and transport-wide congestion control working end to end. A change of the far
 * side puts one in.
 */
export interface Rewrite {
  /** In place; gives the new length, or -1 to drop the packet. */
  rtp(buffer: Uint8Array, offset: number, length: number): number;
  /** In place, a whole compound packet; gives the new length, or -1 to drop it. */
  rtcp(buffer: Uint8Array, offset: number, length: number): number;
}
