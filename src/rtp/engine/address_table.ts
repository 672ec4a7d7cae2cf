/**
 * Which endpoint a datagram belongs to, by the socket that it came in on and the address and port
 * that it came from: open addressing in typed arrays, no allocation on look-up. Addresses are
 * 32-bit numbers: IPv4 as it stands; a shell that speaks IPv6 names such addresses by numbers in
 * 240.0.0.0/4, which no datagram ever comes from.
 */
const EMPTY = -1;
const REMOVED = -2;
const FIRST_CAPACITY = 64;

export class AddressTable {
  #addresses = new Int32Array(FIRST_CAPACITY);
  /** Port in the lower 16 bits, socket above it. */
  #ports = new Int32Array(FIRST_CAPACITY);
  #values = new Int32Array(FIRST_CAPACITY).fill(EMPTY);
  #mask = FIRST_CAPACITY - 1;
  #used = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The value of a place, or -1. */
  get(socket: number, address: number, port: number): number {
    const i = this.#find(socket, address, port);
    return i < 0 ? EMPTY : this.#values[i]!;
  }

  /** @param value 0 or more */
  set(socket: number, address: number, port: number, value: number): void {
    const found = this.#find(socket, address, port);
    if (found >= 0) {
      this.#values[found] = value;
      return;
    }
    if ((this.#used + 1) * 2 > this.#mask) this.#grow();
    const key = key2(socket, port);
    let i = hash(address | 0, key) & this.#mask;
    while (this.#values[i]! >= 0) i = (i + 1) & this.#mask;
    if (this.#values[i] === EMPTY) this.#used++;
    this.#addresses[i] = address;
    this.#ports[i] = key;
    this.#values[i] = value;
    this.#size++;
  }

  delete(socket: number, address: number, port: number): void {
    const i = this.#find(socket, address, port);
    if (i < 0) return;
    this.#values[i] = REMOVED;
    this.#size--;
  }

  #find(socket: number, address: number, port: number): number {
    const a = address | 0;
    const key = key2(socket, port);
    const values = this.#values;
    for (let i = hash(a, key) & this.#mask; values[i] !== EMPTY; i = (i + 1) & this.#mask) {
      if (values[i]! >= 0 && this.#addresses[i] === a && this.#ports[i] === key) return i;
    }
    return -1;
  }

  /** Makes room, or only sweeps out what was removed. */
  #grow(): void {
    const [addresses, ports, values] = [this.#addresses, this.#ports, this.#values];
    let capacity = FIRST_CAPACITY;
    while (capacity < this.#size * 4) capacity *= 2;
    this.#addresses = new Int32Array(capacity);
    this.#ports = new Int32Array(capacity);
    this.#values = new Int32Array(capacity).fill(EMPTY);
    this.#mask = capacity - 1;
    this.#used = 0;
    this.#size = 0;
    for (let i = 0; i < values.length; i++) {
      if (values[i]! >= 0) {
        this.set(ports[i]! >>> 16, addresses[i]!, ports[i]! & 0xffff, values[i]!);
      }
    }
  }
}

function key2(socket: number, port: number): number {
  return (socket << 16) | port;
}

function hash(address: number, key: number): number {
  const h = Math.imul(address ^ Math.imul(key, 0x9e3779b1), 0x85ebca6b);
  return h ^ (h >>> 15);
}

/** `a.b.c.d` as a number, or -1 where it is something else. */
export function parseIpv4(text: string): number {
  let address = 0;
  let part = -1;
  let parts = 0;
  for (let i = 0; i <= text.length; i++) {
    const c = i < text.length ? text.charCodeAt(i) - 48 : -2;
    if (c >= 0 && c <= 9) {
      part = (part < 0 ? 0 : part * 10) + c;
      if (part > 255) return -1;
    } else if ((c === -2) && part >= 0 && parts < 4) {
      address = address * 256 + part;
      part = -1;
      parts++;
    } else return -1;
  }
  return parts === 4 ? address : -1;
}

export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}
