import type { MediaEvent, SocketAddress } from "../contract.ts";

/** What the engine needs from the program around it. No call waits for anything. */
export interface MediaShell {
  /**
   * Sends `length` bytes at `offset` of the arena. The engine leaves the bytes of a receive slot alone
   * until the shell uses that slot again; bytes at `scratch` must be taken before this returns.
   */
  send(socket: number, address: number, port: number, offset: number, length: number): void;
  /** A UDP socket of its own on loopback, for one end of a bridge. */
  openPlainSocket():
    | { readonly socket: number; readonly local: SocketAddress }
    | { readonly error: string };
  closeSocket(socket: number): void;
  emit(event: MediaEvent): void;
}

/** Bytes that the engine needs at `scratch` for what it writes itself. */
export const SCRATCH_LENGTH = 4096;
