import type { Instant } from "../../core/clock.ts";
import type { IceState } from "../media_port.ts";
import {
  askedUfrag,
  BINDING_ERROR,
  BINDING_REQUEST,
  BINDING_SUCCESS,
  integrityFits,
  isAsked,
  readStun,
  StunWriter,
} from "../ice/stun.ts";
import type { HmacSha1 } from "../srtp/hmac_sha1.ts";
import type { AddressTable } from "./address_table.ts";
import type { Endpoint } from "./endpoint.ts";
import { parseIpv6 } from "./ipv6.ts";
import type { MediaShell } from "./shell.ts";

/** Without an authenticated check for this long the browser is gone (RFC 7675 5.1), ms. */
export const CONSENT_TIMEOUT = 30_000;
/**
 * A place belongs to the endpoint whose checks come from there; another one gets it when they have
 * stopped for this long, ms. Else whoever can forge a source address could cut off a call.
 */
const PLACE_KEPT = 10_000;
/** Places remembered for one endpoint: each pair of our sockets and its interfaces, and some. */
const MAX_PLACES = 16;

interface Credential {
  readonly endpoint: Endpoint;
  readonly key: HmacSha1;
}

/**
 * The lite side of ICE (RFC 8445 2.5): answers checks, learns where the browser is from those that
 * are authentic, and takes its nomination. It never sends a check of its own.
 */
export class IceLite {
  readonly #arena: Uint8Array;
  readonly #scratch: number;
  readonly #shell: MediaShell;
  readonly #table: AddressTable;
  readonly #byUfrag = new Map<string, Credential>();
  readonly #byId: ReadonlyMap<number, Endpoint>;

  constructor(
    arena: Uint8Array,
    scratch: number,
    shell: MediaShell,
    table: AddressTable,
    byId: ReadonlyMap<number, Endpoint>,
  ) {
    this.#byId = byId;
    this.#arena = arena;
    this.#scratch = scratch;
    this.#shell = shell;
    this.#table = table;
  }

  add(endpoint: Endpoint): void {
    const { iceUfrag, iceKey } = endpoint;
    if (iceKey !== null) this.#byUfrag.set(iceUfrag, { endpoint, key: iceKey });
  }

  /**
   * The browser begins anew (RFC 8445 2.4, 9): media and consent go on as they are until it has
   * nominated by the new credentials.
   */
  restart(endpoint: Endpoint, ufrag: string, key: HmacSha1): void {
    if (endpoint.iceUfrag === ufrag) return;
    this.#forgetFormer(endpoint);
    endpoint.formerUfrag = endpoint.iceUfrag;
    endpoint.iceUfrag = ufrag;
    endpoint.iceKey = key;
    this.add(endpoint);
    // Said again after another worker's end, when the browser had followed already.
    if (endpoint.followedRestart === numberOf(ufrag)) this.#forgetFormer(endpoint);
  }

  #forgetFormer(endpoint: Endpoint): void {
    if (endpoint.formerUfrag !== "") this.#byUfrag.delete(endpoint.formerUfrag);
    endpoint.formerUfrag = "";
  }

  remove(endpoint: Endpoint): void {
    this.#forgetFormer(endpoint);
    this.#byUfrag.delete(endpoint.iceUfrag);
    for (const { socket, address, port } of endpoint.places) {
      if (this.#table.get(socket, address, port) === endpoint.id) {
        this.#table.delete(socket, address, port);
      }
    }
    endpoint.places = [];
  }

  /**
   * A STUN datagram. Gives the endpoint whose state it has changed, null where it was authentic but
   * changed nothing, undefined where it belongs to nobody.
   */
  receive(
    socket: number,
    address: number,
    port: number,
    offset: number,
    length: number,
    now: Instant,
  ): Endpoint | null | undefined {
    const arena = this.#arena;
    const message = readStun(arena, offset, length);
    if (message === undefined || message.type !== BINDING_REQUEST) return undefined;
    // Who has been checking from there is most likely to check again.
    const known = this.#byId.get(this.#table.get(socket, address, port));
    const ufrag = known !== undefined && isAsked(arena, message, known.iceUfrag)
      ? known.iceUfrag
      : askedUfrag(arena, message);
    const credential = this.#byUfrag.get(ufrag);
    if (credential === undefined) return undefined;
    const { endpoint, key } = credential;
    // From a new place so many are looked at: each costs a hash.
    if (known !== endpoint && !endpoint.strangeLimit.take(length, now)) return undefined;
    // A check that is not authentic gets no answer: whoever guesses learns nothing.
    if (!integrityFits(arena, message, key)) return undefined;
    if (this.#isTaken(endpoint, socket, address, port, now)) return undefined;
    if (!endpoint.checkLimit.take(length, now)) return null;
    const refused = message.unknown.length > 0;
    const type = refused ? BINDING_ERROR : BINDING_SUCCESS;
    const writer = new StunWriter(arena, this.#scratch, type, arena, offset + 8);
    if (refused) writer.unknownAttributes(message.unknown);
    else this.#writeMapped(writer, address, port);
    this.#shell.send(socket, address, port, this.#scratch, writer.seal(key));
    if (refused) return null;
    endpoint.lastCheck = now;
    const hasFollowed = message.useCandidate && ufrag === endpoint.iceUfrag &&
      endpoint.formerUfrag !== "";
    if (hasFollowed) {
      this.#forgetFormer(endpoint);
      endpoint.followedRestart = numberOf(ufrag);
    }
    const isNew = this.#learn(endpoint, socket, address, port);
    const isChanged = this.#advance(endpoint, socket, address, port, message.useCandidate);
    if (isNew || isChanged || hasFollowed) endpoint.record.save(endpoint);
    return isChanged ? endpoint : null;
  }

  #isTaken(
    endpoint: Endpoint,
    socket: number,
    address: number,
    port: number,
    now: Instant,
  ): boolean {
    const holder = this.#byId.get(this.#table.get(socket, address, port));
    return holder !== undefined && holder !== endpoint && now - holder.lastCheck < PLACE_KEPT;
  }

  /** Gives whether the place is new. */
  #learn(endpoint: Endpoint, socket: number, address: number, port: number): boolean {
    this.#table.set(socket, address, port, endpoint.id);
    const places = endpoint.places;
    for (let i = 0; i < places.length; i++) {
      const place = places[i]!;
      if (place.socket === socket && place.address === address && place.port === port) return false;
    }
    places.push({ socket, address, port });
    if (places.length <= MAX_PLACES) return true;
    const oldest = places.findIndex((p) =>
      p.socket !== endpoint.socket || p.address !== endpoint.address || p.port !== endpoint.port
    );
    const [gone] = places.splice(oldest, 1);
    if (gone && this.#table.get(gone.socket, gone.address, gone.port) === endpoint.id) {
      this.#table.delete(gone.socket, gone.address, gone.port);
    }
    return true;
  }

  /**
   * Goes on where another worker has ended: the places are known, and consent is as if just given.
   */
  resume(endpoint: Endpoint, now: Instant): void {
    endpoint.lastCheck = now;
    for (const { socket, address, port } of endpoint.places) {
      const isNominated = endpoint.socket === socket && endpoint.address === address &&
        endpoint.port === port;
      // Who has been nominated there goes before who was there once.
      if (isNominated || this.#table.get(socket, address, port) < 0) {
        this.#table.set(socket, address, port, endpoint.id);
      }
    }
  }

  /** Takes the nomination; gives whether state or address has changed. */
  #advance(
    endpoint: Endpoint,
    socket: number,
    address: number,
    port: number,
    nominated: boolean,
  ): boolean {
    const isSelected = endpoint.socket === socket && endpoint.address === address &&
      endpoint.port === port;
    if (nominated || endpoint.socket < 0) {
      endpoint.socket = socket;
      endpoint.address = address;
      endpoint.port = port;
    }
    if (nominated) {
      if (isSelected && endpoint.iceState === "connected") return false;
      this.setState(endpoint, "connected");
      return true;
    }
    if (endpoint.iceState === "new") this.setState(endpoint, "checking");
    else if (endpoint.iceState === "disconnected" && isSelected) {
      this.setState(endpoint, "connected");
    } else return false;
    return true;
  }

  setState(endpoint: Endpoint, state: IceState): void {
    endpoint.iceState = state;
    this.#shell.emit({
      type: "ice",
      endpoint: endpoint.id,
      state,
      remoteAddress: endpoint.socket < 0 ? null : this.#nameOf(endpoint.address, endpoint.port),
    });
  }

  #writeMapped(writer: StunWriter, address: number, port: number): void {
    // Numbers up there are names of IPv6 addresses; see `AddressTable`.
    const ipv6 = address >>> 28 === 15 ? parseIpv6(this.#shell.textOf(address)) : null;
    if (ipv6 === null) writer.xorMappedAddress(address, port);
    else writer.xorMappedIpv6(ipv6, port);
  }

  #nameOf(address: number, port: number): string {
    const text = this.#shell.textOf(address);
    return text.includes(":") ? `[${text}]:${port}` : `${text}:${port}`;
  }

  /** Gives whether consent has run out just now. */
  expire(endpoint: Endpoint, now: Instant): boolean {
    if (endpoint.iceState !== "connected" && endpoint.iceState !== "checking") return false;
    if (now - endpoint.lastCheck <= CONSENT_TIMEOUT) return false;
    this.setState(endpoint, "disconnected");
    return true;
  }
}

/** A number that stands for a text of chance, not 0. */
function numberOf(text: string): number {
  let number = 0;
  for (let i = 0; i < text.length; i++) {
    number = Math.imul(number ^ text.charCodeAt(i), 0x0100_0193);
  }
  return number || 1;
}
