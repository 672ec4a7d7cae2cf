import type { IceState } from "../media_port.ts";
import type { Endpoint, Place } from "./endpoint.ts";
import { ReceiveRecord } from "./receive_record.ts";
import { BUSY, FIRST_WORD, Role, StateMemory } from "./state_memory.ts";
import type { WidePlace } from "./transport_wide.ts";

const ICE_STATES: readonly IceState[] = ["new", "checking", "connected", "disconnected"];

/** Words of an endpoint's block. */
const STATE = FIRST_WORD;
const SOCKET = 4;
const ADDRESS = 5;
const PORT = 6;
const PLACE_COUNT = 7;
const PLACES = 8;
/** Places that there is room for, two words each: more than are remembered of one endpoint. */
const MAX_PLACES = 16;
/** Doubles: half their word number. */
const COUNTERS = 40 / 2;
const REPORTED = 54;
/** Two words of `TransportWide`. */
const TRANSPORT_WIDE = 55;
const FOLLOWED_RESTART = 57;

const AUDIO_SEEN = 0x10;
const VIDEO_SEEN = 0x20;

/**
 * Where an endpoint's far end was found and what has been counted, in memory that outlives the
 * worker. Written when a place changes, and once a second; nothing here decides about an index of
 * SRTP.
 */
export class EndpointRecord {
  readonly #memory: StateMemory;
  readonly #at: number;
  /** Whether another worker has begun it. */
  readonly isAdopted: boolean;
  readonly #isShared: boolean;
  readonly #streams: ReceiveRecord;

  constructor(memory: StateMemory, owner: number) {
    const [left] = memory.claim({ memory, owner, role: Role.endpoint });
    const block = left ?? memory.take(owner, Role.endpoint);
    this.isAdopted = left !== undefined;
    this.#isShared = block >= 0;
    this.#memory = block >= 0 ? memory : StateMemory.own(1);
    this.#at = block >= 0 ? block : this.#memory.take(1, Role.endpoint);
    this.#streams = new ReceiveRecord(memory, owner);
    if (this.isAdopted) return;
    this.#memory.words[this.#at + SOCKET] = -1;
    this.#memory.words[this.#at + REPORTED] = -1;
    this.#memory.words[this.#at + BUSY] = 0;
  }

  /** Where the state of transport-wide numbers towards the endpoint lies. */
  get transportWide(): WidePlace {
    const at = this.#at;
    return { words: this.#memory.words, at: at + TRANSPORT_WIDE, busy: at + BUSY };
  }

  /** Of each endpoint once a second: it leaves no garbage. */
  save(endpoint: Endpoint): void {
    const { words, floats } = this.#memory;
    const at = this.#at;
    words[at + BUSY] = 1;
    words[at + STATE] = ICE_STATES.indexOf(endpoint.iceState) |
      (endpoint.audioSeen ? AUDIO_SEEN : 0) | (endpoint.videoSeen ? VIDEO_SEEN : 0);
    words[at + SOCKET] = endpoint.socket;
    words[at + ADDRESS] = endpoint.address;
    words[at + PORT] = endpoint.port;
    const count = Math.min(MAX_PLACES, endpoint.places.length);
    words[at + PLACE_COUNT] = count;
    for (let i = 0; i < count; i++) {
      const place = endpoint.places[i]!;
      words[at + PLACES + 2 * i] = (place.socket << 16) | place.port;
      words[at + PLACES + 2 * i + 1] = place.address;
    }
    words[at + REPORTED] = endpoint.transportWideReported;
    words[at + FOLLOWED_RESTART] = endpoint.followedRestart;
    const to = (at >> 1) + COUNTERS;
    floats[to] = endpoint.receivePackets;
    floats[to + 1] = endpoint.receiveBytes;
    floats[to + 2] = endpoint.sendPackets;
    floats[to + 3] = endpoint.sendBytes;
    floats[to + 4] = endpoint.dropped;
    floats[to + 5] = endpoint.heard;
    floats[to + 6] = endpoint.receive.lost;
    words[at + BUSY] = 0;
    if (endpoint.hasOwnReports) this.#streams.save(endpoint.receive);
  }

  restore(endpoint: Endpoint): void {
    const [{ words, floats }, at] = [this.#memory, this.#at];
    const state = words[at + STATE]!;
    endpoint.iceState = ICE_STATES[state & 15]!;
    endpoint.audioSeen = (state & AUDIO_SEEN) !== 0;
    endpoint.videoSeen = (state & VIDEO_SEEN) !== 0;
    endpoint.socket = words[at + SOCKET]!;
    endpoint.address = words[at + ADDRESS]!;
    endpoint.port = words[at + PORT]!;
    endpoint.places = Array.from({ length: words[at + PLACE_COUNT]! }, (_, i): Place => {
      const name = words[at + PLACES + 2 * i]!;
      const address = words[at + PLACES + 2 * i + 1]!;
      return { socket: name >>> 16, address, port: name & 0xffff };
    });
    endpoint.transportWideReported = words[at + REPORTED]!;
    endpoint.followedRestart = words[at + FOLLOWED_RESTART]!;
    const from = (at >> 1) + COUNTERS;
    endpoint.receivePackets = floats[from]!;
    endpoint.receiveBytes = floats[from + 1]!;
    endpoint.sendPackets = floats[from + 2]!;
    endpoint.sendBytes = floats[from + 3]!;
    endpoint.dropped = floats[from + 4]!;
    endpoint.heard = floats[from + 5]!;
    endpoint.receive.goOn(floats[from + 6]!, this.#streams.rows());
  }

  /** Gives the memory back; nothing is called after it. */
  close(): void {
    if (this.#isShared) this.#memory.give(this.#at);
    this.#streams.close();
  }
}
