import type { HandedSocket, MediaCommand, MediaWorkerStart } from "../../contract.ts";
import { PortPairs } from "../../engine/port_pairs.ts";
import { type Dscp, dscpOf } from "../../engine/dscp.ts";
import { StateMemory } from "../../engine/state_memory.ts";
import { Arena } from "./arena.ts";
import { Descriptors } from "./descriptors.ts";
import { Ipv6Names } from "./ipv6_names.ts";
import type { Libc } from "./libc.ts";
import { bindShared, LEG_BUFFER, openPair, Sockets } from "./sockets.ts";

/**
 * Blocks of state, 256 bytes each: 32 MiB, of which the system gives what is used. A call takes
 * about ten, with video twenty.
 */
export const STATE_BLOCKS = 131_071;

type Open = Extract<MediaCommand, { type: "open" }>;

/**
 * What outlives a media worker: its sockets, which this thread opens and nobody else closes, and
 * the memory in which the engine keeps what packets have taught it. Each worker that takes the
 * place of another gets the same.
 */
export class Estate {
  #state = new SharedArrayBuffer(StateMemory.bytes(STATE_BLOCKS));
  #names = new SharedArrayBuffer(Ipv6Names.BYTES);
  readonly #libc: Libc;
  readonly #descriptors = new Descriptors(Descriptors.memory());
  readonly #sockets: Sockets;
  #pairs: PortPairs | null = null;
  #dscp: Dscp = dscpOf(true);
  #shared: readonly HandedSocket[] | null = null;
  readonly #ofEndpoints = new Map<number, readonly HandedSocket[]>();
  readonly #owners = new Map<number, number>();

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#sockets = new Sockets(libc, new Arena(256), this.#descriptors);
  }

  /** For `StateMemory`. */
  get state(): SharedArrayBuffer {
    return this.#state;
  }

  /** For `Ipv6Names`. */
  get names(): SharedArrayBuffer {
    return this.#names;
  }

  /**
   * The next worker gets a copy of all that is known: the present one hangs, and when it comes to
   * again it goes on in the middle of whatever it was changing.
   */
  renew(): void {
    const state = new SharedArrayBuffer(this.#state.byteLength);
    const used = StateMemory.usedBytes(this.#state);
    // No more than is used: the rest is memory that the system has not given yet.
    new Uint8Array(state).set(new Uint8Array(this.#state, 0, used));
    this.#state = state;
    this.#names = this.#names.slice(0);
  }

  /**
   * The sockets that all WebRTC legs share.
   * @throws Error in words where no port of the range is free or an address is not ours
   */
  shared(start: MediaWorkerStart): readonly HandedSocket[] {
    this.#pairs ??= new PortPairs(start.portRange, start.firstPair);
    this.#dscp = dscpOf(start.dscp ?? true);
    const { addresses, portRange } = start;
    return this.#shared ??= bindShared(this.#sockets, addresses, portRange, this.#dscp.audio);
  }

  /**
   * The sockets of an endpoint, opened now or before; none for a WebRTC leg.
   * @throws Error in words where there are none
   */
  openFor(command: Open): readonly HandedSocket[] {
    if (command.kind === "webrtc") return [];
    const { endpoint } = command;
    const before = this.#ofEndpoints.get(endpoint);
    if (before !== undefined) return before;
    const opened: HandedSocket[] = [];
    try {
      if (command.kind === "plain") opened.push(this.#sockets.open("127.0.0.1", 0, LEG_BUFFER));
      else this.#openPairs(command, opened);
    } catch (error) {
      for (const { descriptor } of opened) this.#sockets.close(descriptor);
      throw error;
    }
    this.#ofEndpoints.set(endpoint, opened);
    for (const { descriptor } of opened) this.#owners.set(descriptor, endpoint);
    return opened;
  }

  #openPairs({ address, media }: Extract<Open, { kind: "rtp" }>, opened: HandedSocket[]): void {
    if (this.#pairs === null) throw new Error("the worker has not been started");
    for (const kind of media) {
      const { rtp, rtcp, local } = openPair(this.#sockets, this.#pairs, address, this.#dscp[kind]);
      const next = { address: local.address, port: local.port + 1 };
      opened.push({ descriptor: rtp, local }, { descriptor: rtcp, local: next });
    }
  }

  /** The worker uses it no more. */
  release(descriptor: number): void {
    const owner = this.#owners.get(descriptor);
    if (owner === undefined) return;
    this.#owners.delete(descriptor);
    this.#sockets.close(descriptor);
    const rest = this.#ofEndpoints.get(owner)!.filter((socket) => socket.descriptor !== descriptor);
    if (rest.length > 0) this.#ofEndpoints.set(owner, rest);
    else this.#ofEndpoints.delete(owner);
  }

  /** The endpoint is not open in the worker. */
  releaseAll(endpoint: number): void {
    for (const { descriptor } of this.#ofEndpoints.get(endpoint) ?? []) this.release(descriptor);
  }

  /** Closes what belongs to none of these endpoints. */
  retain(endpoints: ReadonlySet<number>): void {
    for (const endpoint of [...this.#ofEndpoints.keys()]) {
      if (!endpoints.has(endpoint)) this.releaseAll(endpoint);
    }
  }

  /** Descriptors that are open. */
  get size(): number {
    return this.#owners.size + (this.#shared?.length ?? 0);
  }

  /** Nobody takes this worker's place any more. */
  close(): void {
    this.#descriptors.closeAll(this.#libc);
    this.#ofEndpoints.clear();
    this.#owners.clear();
    this.#shared = null;
  }
}
