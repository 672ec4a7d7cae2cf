import { formatIpv4, parseIpv4 } from "./address_table.ts";

/**
 * IPv6 addresses remembered; the ones longest unheard of are forgotten, until they are heard again.
 */
const MAX_NAMES = 4096;
/** IPv6 addresses have numbers in 240.0.0.0/4, where no datagram ever comes from. */
const CLASS_E = 0xf0000000;
/** Multicast, reserved and broadcast addresses begin here; no phone is there. */
const MULTICAST = 0xe0000000;
/** Last address of 0.0.0.0/8 (RFC 1122 3.2.1.3). */
const THIS_NETWORK = 0x00ffffff;

/**
 * Numbers for addresses: IPv4 as it stands, IPv6 by a hash of 28 bits. The hash is keyed, so that
 * nobody can look for an address that shares its number with another's.
 */
export class AddressNames {
  readonly #salt: number;
  #names = new Map<number, string>();
  #older = new Map<number, string>();

  /** @param salt 32 random bits */
  constructor(salt: number) {
    this.#salt = salt;
  }

  /** Unsigned; -1 where the text is no address of one host. */
  numberOf(text: string): number {
    const ipv4 = parseIpv4(text);
    if (ipv4 >= MULTICAST || (ipv4 >= 0 && ipv4 <= THIS_NETWORK)) return -1;
    if (ipv4 >= 0) return ipv4;
    if (!/^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/.test(text)) return -1;
    const name = text.toLowerCase();
    let hash = this.#salt;
    for (let i = 0; i < name.length; i++) {
      hash = Math.imul(hash ^ name.charCodeAt(i), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    const number = (CLASS_E | (hash & 0x0fffffff)) >>> 0;
    this.#keep(number, name);
    return number;
  }

  textOf(address: number): string {
    const number = address >>> 0;
    if (number < CLASS_E) return formatIpv4(number);
    return this.#names.get(number) ?? this.#older.get(number) ?? "::";
  }

  #keep(number: number, name: string): void {
    if (this.#names.has(number)) return;
    if (this.#names.size >= MAX_NAMES / 2) {
      this.#older = this.#names;
      this.#names = new Map();
    }
    this.#names.set(number, name);
  }
}
