import type { HandedSocket, MediaEvent, SocketAddress } from "../contract.ts";
import type { StatisticsRows } from "./statistics_rows.ts";

/** What the engine needs from the program around it. No call waits for anything. */
export interface MediaShell {
  /**
   * Sends `length` bytes at `offset` of the arena. The engine leaves the bytes of a receive slot
   * alone until the shell uses that slot again; bytes at `scratch` must be taken before this
   * returns.
   * @param dscp mark of this datagram (RFC 8837) where it is another than the socket's, and the
   * datagram lies in a receive slot; 0 or absent: the socket's
   */
  send(
    socket: number,
    address: number,
    port: number,
    offset: number,
    length: number,
    dscp?: number,
  ): void;
  /**
   * A UDP socket of its own on loopback, for one end of a bridge.
   * @param handed opened for it already, where the shell takes such
   */
  openPlainSocket(handed: readonly HandedSocket[]):
    | { readonly socket: number; readonly local: SocketAddress }
    | { readonly error: string };
  /**
   * Two UDP sockets for one section of a SIP leg: RTP on an even port (`local`), RTCP on the next.
   * @param dscp what to mark packets with, where the shell can (RFC 8837)
   * @param handed the two, opened already, where the shell takes such
   */
  openPortPair(address: string, dscp: number, handed: readonly HandedSocket[]):
    | { readonly rtp: number; readonly rtcp: number; readonly local: SocketAddress }
    | { readonly error: string };
  closeSocket(socket: number): void;
  /** The number that this shell has for an address: IPv4 as it stands; -1: not one to send to. */
  numberOf(address: string): number;
  /** The text of a number that came with a datagram or from `numberOf`. */
  textOf(address: number): string;
  emit(event: MediaEvent): void;
  /** Takes what stands in the rows before it returns. */
  emitStatistics(rows: StatisticsRows): void;
}

/** Bytes that the engine needs at `scratch` for what it writes itself. */
export const SCRATCH_LENGTH = 4096;
