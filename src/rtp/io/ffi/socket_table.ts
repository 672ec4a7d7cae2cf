import type { HandedSocket, SocketAddress } from "../../contract.ts";
import type { PortPairs } from "../../engine/port_pairs.ts";
import { LEG_BUFFER, openPair, type Sockets } from "./sockets.ts";

const MAX_SOCKETS = 8192;
const TOO_MANY = `${MAX_SOCKETS} sockets are open, which is the most of one worker`;

/** What a socket's number means to whoever asks for one. */
export type Opened<T> = T | { readonly error: string };

/**
 * The engine's sockets by number: those that the main thread has opened and handed over, which
 * another worker may get after this one, and in a worker that stands alone its own.
 */
export class SocketTable {
  readonly #sockets: Sockets;
  readonly #epoll: number;
  readonly #pairs: PortPairs;
  readonly #onReleased: (descriptor: number) => void;
  readonly #descriptors = new Int32Array(MAX_SOCKETS).fill(-1);
  readonly #isHanded = new Uint8Array(MAX_SOCKETS);
  readonly #free: number[] = [];
  #count = 0;

  /** @param onReleased a handed descriptor is out of use here */
  constructor(
    sockets: Sockets,
    epoll: number,
    pairs: PortPairs,
    onReleased: (descriptor: number) => void,
  ) {
    this.#sockets = sockets;
    this.#epoll = epoll;
    this.#pairs = pairs;
    this.#onReleased = onReleased;
  }

  /** -1: there is none. */
  descriptorOf(socket: number): number {
    return this.#descriptors[socket]!;
  }

  /** Gives the socket's number, or -1: there are too many. */
  add(descriptor: number, isHanded: boolean): number {
    const socket = this.#free.pop() ?? (this.#count < MAX_SOCKETS ? this.#count++ : -1);
    if (socket < 0) return -1;
    this.#descriptors[socket] = descriptor;
    this.#isHanded[socket] = isHanded ? 1 : 0;
    this.#sockets.watch(this.#epoll, descriptor, socket);
    return socket;
  }

  /** Even and odd port of one section. */
  openPair(
    address: string,
    dscp: number,
    handed: readonly HandedSocket[],
  ): Opened<{ rtp: number; rtcp: number; local: SocketAddress }> {
    try {
      const [even, odd] = handed;
      const isHanded = even !== undefined && odd !== undefined;
      const pair = isHanded
        ? { rtp: even.descriptor, rtcp: odd.descriptor, local: even.local }
        : openPair(this.#sockets, this.#pairs, address, dscp);
      const [rtp, rtcp] = [this.add(pair.rtp, isHanded), this.add(pair.rtcp, isHanded)];
      if (rtp >= 0 && rtcp >= 0) return { rtp, rtcp, local: pair.local };
      for (const [socket, descriptor] of [[rtp, pair.rtp], [rtcp, pair.rtcp]] as const) {
        if (socket >= 0) this.close(socket);
        else this.#giveBack(descriptor, isHanded);
      }
      return { error: TOO_MANY };
    } catch (error) {
      return { error: textOf(error) };
    }
  }

  /** A socket of one leg. @param handed opened already; absent: it is opened here */
  open(
    address: string,
    port: number,
    handed?: HandedSocket,
  ): Opened<{ socket: number; local: SocketAddress }> {
    try {
      const { descriptor, local } = handed ?? this.#sockets.open(address, port, LEG_BUFFER);
      const socket = this.add(descriptor, handed !== undefined);
      if (socket >= 0) return { socket, local };
      this.#giveBack(descriptor, handed !== undefined);
      return { error: TOO_MANY };
    } catch (error) {
      return { error: `a socket on ${address} could not be opened: ${textOf(error)}` };
    }
  }

  close(socket: number): void {
    const descriptor = this.#descriptors[socket];
    if (descriptor === undefined || descriptor < 0) return;
    this.#descriptors[socket] = -1;
    this.#free.push(socket);
    const isHanded = this.#isHanded[socket] === 1;
    if (isHanded) this.#sockets.unwatch(this.#epoll, descriptor);
    this.#giveBack(descriptor, isHanded);
  }

  #giveBack(descriptor: number, isHanded: boolean): void {
    if (isHanded) this.#onReleased(descriptor);
    else this.#sockets.close(descriptor);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
