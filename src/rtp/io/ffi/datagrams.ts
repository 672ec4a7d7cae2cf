import { type Arena, sizeOf } from "./arena.ts";
import {
  AF_INET,
  CMSG_I32,
  CMSG_I32_LENGTH,
  CMSG_U16,
  EINVAL,
  EIO,
  ENOPROTOOPT,
  EOPNOTSUPP,
  errno,
  IOVEC,
  IP_TOS,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_UDP,
  IPV6_TCLASS,
  type Libc,
  MMSGHDR,
  MSG_DONTWAIT,
  MSG_LENGTH,
  MSG_TRUNC,
  SOCKADDR,
  SOCKADDR_IN,
  UDP_SEGMENT,
} from "./libc.ts";

/** Offsets inside `struct mmsghdr` on 64-bit Linux. */
const NAME_LENGTH = 8;
const IOV = 16;
const IOV_COUNT = 24;
const CONTROL = 32;
const CONTROL_LENGTH = 40;
const FLAGS = 48;
const NAME_STRIDE = 32;

/** Fewer and smaller datagrams are as well sent one by one. */
const MIN_SEGMENT = 400;
const MAX_SEGMENTS = 64;
const MAX_SEGMENTED = 65_000;
/**
 * A socket whose segmented sends fail so often, and none between them goes, gets no more of them.
 */
const MAX_SEGMENT_FAILURES = 3;
/**
 * What the system says where it cannot segment: no checksums by the device (EIO), no such option,
 * or segments too large for the way there (EINVAL). Full buffers and closed ports say nothing of
 * it.
 */
const CANNOT_SEGMENT: readonly number[] = [EIO, EINVAL, EOPNOTSUPP, ENOPROTOOPT];

/** The message vector of `recvmmsg` over slots of the arena, and what it brought. */
export class ReceiveVector {
  readonly #arena: Arena;
  readonly #libc: Libc;
  readonly #messages: number;
  readonly #names: number;

  constructor(
    libc: Libc,
    arena: Arena,
    readonly slots: number,
    readonly slotCount: number,
    readonly slotLength: number,
    dataLength: number,
  ) {
    this.#libc = libc;
    this.#arena = arena;
    this.#messages = arena.allocate(slotCount * MMSGHDR);
    this.#names = arena.allocate(slotCount * NAME_STRIDE);
    const vectors = arena.allocate(slotCount * IOVEC);
    for (let i = 0; i < slotCount; i++) {
      const [message, vector] = [this.#messages + i * MMSGHDR, vectors + i * IOVEC];
      arena.setPointer(vector, slots + i * slotLength);
      arena.view.setBigUint64(vector + 8, BigInt(dataLength), true);
      arena.setPointer(message, this.#names + i * NAME_STRIDE);
      arena.int32[(message + NAME_LENGTH) >> 2] = SOCKADDR;
      arena.setPointer(message + IOV, vector);
      arena.int32[(message + IOV_COUNT) >> 2] = 1;
    }
  }

  /** Fills slots from `first` on; gives how many, or -1. */
  receive(descriptor: number, first: number, count: number): number {
    const at = this.#arena.address(this.#messages + first * MMSGHDR);
    return this.#libc.recvmmsg(descriptor, at, count, MSG_DONTWAIT, 0n);
  }

  /**
   * Bytes in a slot, -1 where the datagram was longer; makes the slot's header ready for another.
   */
  take(slot: number): number {
    const words = this.#arena.int32;
    const message = (this.#messages + slot * MMSGHDR) >> 2;
    words[message + (NAME_LENGTH >> 2)] = SOCKADDR;
    if ((words[message + (FLAGS >> 2)]! & MSG_TRUNC) !== 0) return -1;
    return words[message + (MSG_LENGTH >> 2)]!;
  }

  /** Where the sender's `sockaddr` lies. */
  name(slot: number): number {
    return this.#names + slot * NAME_STRIDE;
  }
}

/**
 * Datagrams that wait to be sent together. They lie in slots that must not be reused before
 * `flush`.
 */
export class SendQueue {
  readonly #arena: Arena;
  readonly #libc: Libc;
  readonly #capacity: number;
  readonly #messages: number;
  readonly #names: number;
  readonly #vectors: number;
  readonly #control: number;
  readonly #descriptors: Int32Array;
  /** Where each lies in the arena. */
  readonly #offsets: Int32Array;
  /** Control message of each slot, its place; 0: none. */
  readonly #controls: Int32Array;
  /** Places of control messages by family and mark; 0: not written yet. */
  readonly #marks = new Int32Array(2 * 64);
  readonly #segmentFailures = new Map<number, number>();
  #length = 0;
  /** Datagrams that the kernel did not take. */
  failed = 0;
  /** Datagrams that went out as part of a segmented send. */
  segmented = 0;

  constructor(libc: Libc, arena: Arena, capacity: number) {
    this.#libc = libc;
    this.#arena = arena;
    this.#capacity = capacity;
    this.#messages = arena.allocate(capacity * MMSGHDR);
    this.#names = arena.allocate(capacity * NAME_STRIDE);
    this.#vectors = arena.allocate(capacity * IOVEC);
    this.#control = arena.allocate(CMSG_U16 + CMSG_I32);
    this.#descriptors = new Int32Array(capacity);
    this.#controls = new Int32Array(capacity);
    this.#offsets = new Int32Array(capacity);
    for (let i = 0; i < capacity; i++) {
      const message = this.#messages + i * MMSGHDR;
      arena.setPointer(message, this.#names + i * NAME_STRIDE);
      arena.setPointer(message + IOV, this.#vectors + i * IOVEC);
      arena.int32[(message + IOV_COUNT) >> 2] = 1;
    }
    // struct cmsghdr: length 18 (CMSG_LEN(2)), level, type, value.
    arena.view.setBigUint64(this.#control, 18n, true);
    arena.view.setInt32(this.#control + 8, IPPROTO_UDP, true);
    arena.view.setInt32(this.#control + 12, UDP_SEGMENT, true);
  }

  /** Where `sockaddr` of the next datagram is to be written, before `push`. */
  get nextName(): number {
    return this.#names + this.#length * NAME_STRIDE;
  }

  get length(): number {
    return this.#length;
  }

  /** @param dscp mark of this one; 0: that of the socket */
  push(
    descriptor: number,
    nameLength: number,
    offset: number,
    length: number,
    dscp = 0,
  ): void {
    const index = this.#length++;
    const { view, int32 } = this.#arena;
    const vector = this.#vectors + index * IOVEC;
    view.setBigUint64(vector, this.#arena.address(offset), true);
    int32[(vector + 8) >> 2] = length;
    int32[(this.#messages + index * MMSGHDR + NAME_LENGTH) >> 2] = nameLength;
    this.#descriptors[index] = descriptor;
    this.#offsets[index] = offset;
    const control = dscp === 0 ? 0 : this.#markAt(nameLength === SOCKADDR_IN, dscp);
    if (this.#controls[index] !== control) {
      this.#controls[index] = control;
      this.#setControl(index, control, control === 0 ? 0 : CMSG_I32);
    }
    if (this.#length === this.#capacity) this.flush();
  }

  flush(): void {
    const count = this.#length;
    if (count === 0) return;
    this.#length = 0;
    const descriptors = this.#descriptors;
    let first = 0;
    for (let i = 0; i < count;) {
      if (descriptors[i] !== descriptors[first]) {
        this.#send(first, i);
        first = i;
      }
      const run = this.#runFrom(i, count);
      if (run < 2) {
        i++;
        continue;
      }
      this.#send(first, i);
      this.#sendRun(i, run);
      i += run;
      first = i;
    }
    this.#send(first, count);
  }

  #setControl(index: number, control: number, length: number): void {
    const message = this.#messages + index * MMSGHDR;
    if (control === 0) this.#arena.view.setBigUint64(message + CONTROL, 0n, true);
    else this.#arena.setPointer(message + CONTROL, control);
    this.#arena.int32[(message + CONTROL_LENGTH) >> 2] = length;
  }

  /** Where the control message with a mark lies, written once for all datagrams. */
  #markAt(isIpv4: boolean, dscp: number): number {
    const index = (isIpv4 ? 0 : 64) + (dscp & 63);
    const known = this.#marks[index]!;
    if (known !== 0) return known;
    const at = this.#arena.allocate(CMSG_I32);
    this.#writeMark(at, isIpv4, dscp);
    return this.#marks[index] = at;
  }

  #writeMark(at: number, isIpv4: boolean, dscp: number): void {
    const { view } = this.#arena;
    view.setBigUint64(at, CMSG_I32_LENGTH, true);
    view.setInt32(at + 8, isIpv4 ? IPPROTO_IP : IPPROTO_IPV6, true);
    view.setInt32(at + 12, isIpv4 ? IP_TOS : IPV6_TCLASS, true);
    view.setInt32(at + 16, (dscp & 63) << 2, true);
  }

  /** Drops what waits. */
  clear(): void {
    this.#length = 0;
  }

  #lengthAt(index: number): number {
    return this.#arena.int32[(this.#vectors + index * IOVEC + 8) >> 2]!;
  }

  /**
   * How many from `index` on can go as one: one destination, one size, the last one may be shorter.
   */
  #runFrom(index: number, count: number): number {
    const size = this.#lengthAt(index);
    if (size < MIN_SEGMENT) return 1;
    const descriptor = this.#descriptors[index]!;
    if ((this.#segmentFailures.get(descriptor) ?? 0) >= MAX_SEGMENT_FAILURES) return 1;
    const most = Math.min(count - index, MAX_SEGMENTS, Math.floor(MAX_SEGMENTED / size));
    let run = 1;
    while (run < most && this.#isSamePlace(index, index + run)) {
      const next = this.#lengthAt(index + run);
      if (next > size) break;
      run++;
      if (next < size) break;
    }
    return run;
  }

  #isSamePlace(a: number, b: number): boolean {
    if (this.#descriptors[a] !== this.#descriptors[b]) return false;
    if (this.#controls[a] !== this.#controls[b]) return false;
    const words = this.#arena.int32;
    const [x, y] = [(this.#names + a * NAME_STRIDE) >> 2, (this.#names + b * NAME_STRIDE) >> 2];
    // Family and port, the IPv4 address; an IPv6 address goes on for 20 bytes more.
    if (words[x] !== words[y] || words[x + 1] !== words[y + 1]) return false;
    if ((words[x]! & 0xffff) === AF_INET) return true;
    for (let i = 2; i < SOCKADDR / 4; i++) if (words[x + i] !== words[y + i]) return false;
    return true;
  }

  #send(first: number, end: number): void {
    if (first === end) return;
    const descriptor = this.#descriptors[first]!;
    if (end - first === 1 && this.#controls[first] === 0) {
      this.#sendOne(descriptor, first);
      return;
    }
    for (let i = first; i < end;) {
      const at = this.#arena.address(this.#messages + i * MMSGHDR);
      const sent = this.#libc.sendmmsg(descriptor, at, end - i, MSG_DONTWAIT);
      if (sent > 0) i += sent;
      else {
        // What cannot be sent is lost, like any datagram; the next one may well go.
        this.failed++;
        i++;
      }
    }
  }

  /** A leg's only one, as a rule: the call with a vector costs more. */
  #sendOne(descriptor: number, index: number): void {
    const { int32 } = this.#arena;
    const from = this.#arena.address(this.#offsets[index]!);
    const to = this.#arena.address(this.#names + index * NAME_STRIDE);
    const length = sizeOf(this.#lengthAt(index));
    const nameLength = int32[(this.#messages + index * MMSGHDR + NAME_LENGTH) >> 2]!;
    const sent = this.#libc.sendto(descriptor, from, length, MSG_DONTWAIT, to, nameLength);
    if (sent < 0) this.failed++;
  }

  #sendRun(index: number, run: number): void {
    const { view, int32, bytes } = this.#arena;
    const message = this.#messages + index * MMSGHDR;
    view.setUint16(this.#control + 16, this.#lengthAt(index), true);
    int32[(message + IOV_COUNT) >> 2] = run;
    const mark = this.#controls[index]!;
    if (mark !== 0) {
      bytes.copyWithin(this.#control + CMSG_U16, mark, mark + CMSG_I32);
    }
    this.#setControl(index, this.#control, mark === 0 ? CMSG_U16 : CMSG_U16 + CMSG_I32);
    const descriptor = this.#descriptors[index]!;
    const at = this.#arena.address(message);
    const sent = this.#libc.sendmmsg(descriptor, at, 1, MSG_DONTWAIT);
    const error = sent > 0 ? 0 : errno(this.#libc);
    int32[(message + IOV_COUNT) >> 2] = 1;
    this.#setControl(index, mark, mark === 0 ? 0 : CMSG_I32);
    if (sent > 0) {
      this.segmented += run;
      if (this.#segmentFailures.size > 0) this.#segmentFailures.delete(descriptor);
      return;
    }
    if (CANNOT_SEGMENT.includes(error)) {
      this.#segmentFailures.set(descriptor, (this.#segmentFailures.get(descriptor) ?? 0) + 1);
    }
    this.#send(index, index + run);
  }

  /** A closed socket's number may be another's soon. */
  forget(descriptor: number): void {
    this.#segmentFailures.delete(descriptor);
  }
}
