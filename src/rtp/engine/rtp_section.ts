import type { Instant } from "../../core/clock.ts";
import type { RtpSectionRemote, SrtpKeys } from "../contract.ts";
import type { SrtpEngine } from "../srtp/cipher.ts";
import { type ContextPlace, contextPlace, SrtpReceiver, SrtpSender } from "../srtp/context.ts";
import type { Kind } from "./out_streams.ts";
import { KEY_OVERLAP, KeyOverlap } from "./key_overlap.ts";
import { LossWatch } from "./loss_watch.ts";
import { type SectionPayloads, sectionPayloadsOf } from "./payload_tables.ts";
import { RateLimit } from "./rate_limit.ts";
import { BUSY, FIRST_WORD, Role, type StatePlace } from "./state_memory.ts";

/** After a description packets are taken from wherever they come first, for this long, ms. */
export const LATCH_WINDOW = 10_000;
/** A source that was heard within this time is not left for another, ms. */
export const RELATCH_SILENCE = 500;
/** Sequence numbers that are still the same stream, RFC 3550 A.1. */
const MAX_DROPOUT = 3000;

/** More than any codec sends: ptime 10 ms several times over, and high-definition video. */
const LIMITS: Readonly<Record<Kind, readonly [packets: number, bytes: number]>> = {
  audio: [500, 250_000],
  video: [4000, 4_000_000],
};
/** Packets a second from places that are not the far end's, which cost a look each. */
const STRANGERS: readonly [number, number] = [100, 200_000];

/** Words of a section's block. */
const ADDRESS = FIRST_WORD;
const PORT = 4;
const RTCP_ADDRESS = 5;
const RTCP_PORT = 6;
/** Bits 0 and 1; the number of the last full intra request above them, from bit 8 on. */
const LATCHES = 7;
const SSRC = 8;
const SEQUENCE = 9;
const SIGNALLED_ADDRESS = 10;
const SIGNALLED_PORT = 11;
const SIGNALLED_RTCP_PORT = 12;
const FORMER_ADDRESS = 13;
const FORMER_PORT = 14;
/** Doubles: half their word number. */
const LATCH_UNTIL = 16 / 2;
const HEARD_AT = 18 / 2;

/** What is to be done with a packet, by where it came from. */
export enum Verdict {
  refuse,
  current,
  latch,
}

/** One media section of a SIP leg: its sockets, keys, payload types, and where the far end is. */
export class RtpSection {
  /** Where packets go: as signalled, or learned. Port 0: nowhere. */
  address = 0;
  port = 0;
  rtcpAddress = 0;
  rtcpPort = 0;
  isMuxed = false;
  receiver: SrtpReceiver | null = null;
  sender: SrtpSender | null = null;
  /** While the far end may still send under the keys before these; null: it may not. */
  overlap: KeyOverlap | null = null;
  hasFeedback = false;
  wantsFir = false;
  /** Of the last full intra request, 8 bits. */
  #firNumber = 0;
  /** Of a video section: what of it is missing. */
  readonly losses = new LossWatch();
  /** Whether the description accepts this section at all. */
  isAccepted = false;

  /** What has been agreed on; nothing yet. */
  agreed: SectionPayloads = sectionPayloadsOf("audio", []);

  readonly limit: RateLimit;
  readonly #strangers = new RateLimit(...STRANGERS);
  #keys: SrtpKeys | null = null;
  /** Those that `receiver` is for. */
  #receiverKeys: SrtpKeys | null = null;
  #signalledAddress = 0;
  #signalledPort = 0;
  #signalledRtcpPort = 0;
  #formerAddress = 0;
  #formerPort = 0;
  #latchUntil: Instant = -Infinity;
  isLatched = false;
  heardAt: Instant = -Infinity;
  #rtcpLatched = false;
  #ssrc = 0;
  #sequence = 0;

  readonly #place: StatePlace;
  /** The block; -1: there is no room for one, and another worker will know nothing. */
  readonly #block: number;
  /** Another worker has begun it, and the description has not come again yet. */
  #isAdopted = false;

  /** @param index of the section; with the endpoint it names where the state lies */
  constructor(
    readonly kind: Kind,
    readonly rtpSocket: number,
    readonly rtcpSocket: number,
    place: Omit<StatePlace, "role">,
    readonly index: number,
  ) {
    this.limit = new RateLimit(...LIMITS[kind]);
    this.#place = { ...place, role: Role.section + index };
    const { memory, owner } = place;
    const [left] = memory.claim(this.#place);
    this.#block = left ?? memory.take(owner, this.#place.role);
    if (left !== undefined) this.#restore(left);
    else this.save();
  }

  #restore(at: number): void {
    const { words, floats } = this.#place.memory;
    this.#isAdopted = true;
    this.address = words[at + ADDRESS]!;
    this.port = words[at + PORT]!;
    this.rtcpAddress = words[at + RTCP_ADDRESS]!;
    this.rtcpPort = words[at + RTCP_PORT]!;
    this.isLatched = (words[at + LATCHES]! & 1) !== 0;
    this.#rtcpLatched = (words[at + LATCHES]! & 2) !== 0;
    this.#firNumber = words[at + LATCHES]! >>> 8 & 0xff;
    this.#ssrc = words[at + SSRC]!;
    this.#sequence = words[at + SEQUENCE]!;
    this.#signalledAddress = words[at + SIGNALLED_ADDRESS]!;
    this.#signalledPort = words[at + SIGNALLED_PORT]!;
    this.#signalledRtcpPort = words[at + SIGNALLED_RTCP_PORT]!;
    this.#formerAddress = words[at + FORMER_ADDRESS]!;
    this.#formerPort = words[at + FORMER_PORT]!;
    this.#latchUntil = floats[(at >> 1) + LATCH_UNTIL]!;
    this.heardAt = floats[(at >> 1) + HEARD_AT]!;
  }

  /** For another worker: when a place has changed, and now and then. */
  save(): void {
    const at = this.#block;
    if (at < 0) return;
    const { words, floats } = this.#place.memory;
    words[at + BUSY] = 1;
    words[at + ADDRESS] = this.address;
    words[at + PORT] = this.port;
    words[at + RTCP_ADDRESS] = this.rtcpAddress;
    words[at + RTCP_PORT] = this.rtcpPort;
    words[at + LATCHES] = (this.isLatched ? 1 : 0) | (this.#rtcpLatched ? 2 : 0) |
      this.#firNumber << 8;
    words[at + SSRC] = this.#ssrc;
    words[at + SEQUENCE] = this.#sequence;
    words[at + SIGNALLED_ADDRESS] = this.#signalledAddress;
    words[at + SIGNALLED_PORT] = this.#signalledPort;
    words[at + SIGNALLED_RTCP_PORT] = this.#signalledRtcpPort;
    words[at + FORMER_ADDRESS] = this.#formerAddress;
    words[at + FORMER_PORT] = this.#formerPort;
    floats[(at >> 1) + LATCH_UNTIL] = this.#latchUntil;
    floats[(at >> 1) + HEARD_AT] = this.heardAt;
    words[at + BUSY] = 0;
  }

  /** @param address number of `remote.rtp.address`; -1: none that can be sent to */
  setRemote(
    remote: RtpSectionRemote | null,
    address: number,
    srtp: SrtpEngine,
    now: Instant,
  ): void {
    this.#describe(remote, address, srtp, now);
    this.#isAdopted = false;
    this.save();
  }

  #describe(
    remote: RtpSectionRemote | null,
    address: number,
    srtp: SrtpEngine,
    now: Instant,
  ): void {
    this.isAccepted = remote !== null;
    if (remote === null) {
      this.port = this.rtcpPort = 0;
      this.#signalledPort = 0;
      return;
    }
    this.agreed = sectionPayloadsOf(this.kind, remote.payloads);
    this.#setKeys(remote.keys, srtp, now);
    this.hasFeedback = remote.hasFeedback;
    this.wantsFir = remote.wantsFir ?? false;
    this.isMuxed = remote.rtcpPort === null;
    // To another worker it is said again: nobody has described anything anew.
    if (!this.#isAdopted) this.#latchUntil = now + LATCH_WINDOW;
    const port = address < 0 ? 0 : remote.rtp?.port ?? 0;
    if (port === 0) {
      this.port = this.rtcpPort = this.#signalledPort = 0;
      return;
    }
    const rtcpPort = remote.rtcpPort ?? port;
    const isSame = (address | 0) === this.#signalledAddress && port === this.#signalledPort;
    this.#signalledRtcpPort = rtcpPort;
    if (isSame && this.port !== 0) return;
    if (this.isLatched) [this.#formerAddress, this.#formerPort] = [this.address, this.port];
    this.#signalledAddress = this.address = this.rtcpAddress = address | 0;
    this.#signalledPort = this.port = port;
    this.rtcpPort = rtcpPort;
    this.isLatched = this.#rtcpLatched = false;
  }

  /** The same keys again keep rollover counters and replay windows. */
  #setKeys(keys: SrtpKeys | null, srtp: SrtpEngine, now: Instant): void {
    const before = this.#keys;
    this.#keys = keys;
    if (keys === null) {
      this.#closeKeys();
      return;
    }
    const { profile, localKey, localSalt } = keys;
    const isSame = before?.profile === profile;
    if (!isSame || !equal(localKey, before.localKey) || !equal(localSalt, before.localSalt)) {
      this.sender?.close();
      const place = this.#contextPlace(Role.send, localKey, localSalt);
      this.sender = new SrtpSender(srtp.cipher(profile, localKey, localSalt), place);
    }
    if (before === null || !hasSameRemote(keys, before)) this.#changeReceiver(keys, srtp, now);
  }

  #changeReceiver(keys: SrtpKeys, srtp: SrtpEngine, now: Instant): void {
    const [before, overlap] = [this.receiver, this.overlap];
    this.overlap = before === null || this.#receiverKeys === null
      ? null
      : new KeyOverlap(before, this.#receiverKeys, now + KEY_OVERLAP);
    this.#receiverKeys = keys;
    if (overlap !== null && hasSameRemote(keys, overlap.formerKeys)) {
      // Back to what they were: with what has been seen under them.
      this.receiver = overlap.former;
      return;
    }
    overlap?.former.close();
    const { profile, remoteKey, remoteSalt } = keys;
    const place = this.#contextPlace(Role.receive, remoteKey, remoteSalt);
    this.receiver = new SrtpReceiver(srtp.cipher(profile, remoteKey, remoteSalt), place);
  }

  /** Opens a packet while there are two keys that it may be under; gives its length, or -1. */
  openOverlapped(isRtcp: boolean, buffer: Uint8Array, offset: number, length: number): number {
    const { receiver, overlap } = this;
    if (receiver === null || overlap === null) return -1;
    const size = overlap.open(receiver, isRtcp, buffer, offset, length);
    if (overlap.hasFollowed) this.#endOverlap();
    return size;
  }

  #endOverlap(): void {
    this.overlap?.former.close();
    this.overlap = null;
  }

  /** Once a second. */
  tick(now: Instant): void {
    if (this.overlap !== null && now >= this.overlap.until) this.#endOverlap();
    this.save();
  }

  /** Number of a new full intra request: the one before again would be a repetition of it. */
  nextFir(): number {
    this.#firNumber = (this.#firNumber + 1) & 0xff;
    this.save();
    return this.#firNumber;
  }

  #contextPlace(role: number, key: Uint8Array, salt: Uint8Array): ContextPlace {
    return contextPlace(this.#place, role + this.index, key, salt);
  }

  #closeKeys(): void {
    this.#endOverlap();
    this.#receiverKeys = null;
    this.receiver?.close();
    this.sender?.close();
    this.receiver = this.sender = null;
  }

  /** Gives ciphers and memory back; nothing is called after it. */
  close(): void {
    this.#closeKeys();
    if (this.#block >= 0) this.#place.memory.give(this.#block);
  }

  /**
   * Whether a packet from there may be the far end's. What is to be latched has to be valid first,
   * and authentic where there are keys.
   */
  judge(
    address: number,
    port: number,
    ssrc: number,
    sequence: number,
    now: Instant,
  ): Verdict {
    if (this.isLatched && address === this.address && port === this.port) return Verdict.current;
    const isSignalled = address === this.#signalledAddress && port === this.#signalledPort;
    if (!this.isAccepted) return Verdict.refuse;
    if (!isSignalled && !this.#strangers.take(0, now)) return Verdict.refuse;
    const inWindow = now < this.#latchUntil;
    if (!this.isLatched) {
      if (isSignalled) return Verdict.latch;
      if (address === this.#formerAddress && port === this.#formerPort) return Verdict.refuse;
      const isLikely = inWindow || address === this.#signalledAddress ||
        isPrivate(this.#signalledAddress);
      return isLikely ? Verdict.latch : Verdict.refuse;
    }
    // Who is where the description says goes before whoever came first.
    if (inWindow && isSignalled) return Verdict.latch;
    if (now - this.heardAt <= RELATCH_SILENCE) return Verdict.refuse;
    const continues = ssrc === this.#ssrc && ((sequence - this.#sequence) & 0xffff) < MAX_DROPOUT;
    return inWindow || continues || this.receiver !== null ? Verdict.latch : Verdict.refuse;
  }

  /** A valid packet came; gives whether its place is new. */
  heard(
    verdict: Verdict,
    address: number,
    port: number,
    ssrc: number,
    sequence: number,
    now: Instant,
  ): boolean {
    this.heardAt = now;
    this.#ssrc = ssrc;
    this.#sequence = sequence;
    if (verdict !== Verdict.latch) return false;
    const isNew = !this.isLatched || address !== this.address || port !== this.port;
    this.isLatched = true;
    this.address = address;
    this.port = port;
    this.#formerPort = 0;
    if (this.isMuxed || !this.#rtcpLatched) {
      this.rtcpAddress = address;
      this.rtcpPort = this.isMuxed
        ? port
        : port === this.#signalledPort
        ? this.#signalledRtcpPort
        : port + 1 & 0xffff;
    }
    this.save();
    return isNew;
  }

  /** Whether RTCP from there may be the far end's: from where its RTP comes, whatever the port. */
  judgeRtcp(address: number, port: number, now: Instant): boolean {
    if (address === this.rtcpAddress && port === this.rtcpPort) return true;
    if (!this.isAccepted || !this.#strangers.take(0, now)) return false;
    return this.isLatched ? address === this.address : address === this.#signalledAddress;
  }

  heardRtcp(address: number, port: number): void {
    const isNew = !this.#rtcpLatched || address !== this.rtcpAddress || port !== this.rtcpPort;
    this.#rtcpLatched = true;
    this.rtcpAddress = address;
    this.rtcpPort = port;
    if (isNew) this.save();
  }
}

function hasSameRemote(a: SrtpKeys, b: SrtpKeys): boolean {
  return a.profile === b.profile && equal(a.remoteKey, b.remoteKey) &&
    equal(a.remoteSalt, b.remoteSalt);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Addresses behind a NAT (RFC 1918, RFC 6598): packets never come from there as they stand. */
function isPrivate(address: number): boolean {
  const [a, b] = [address >>> 24, (address >>> 16) & 255];
  return a === 10 || (a === 192 && b === 168) || (a === 172 && (b & 0xf0) === 16) ||
    (a === 100 && (b & 0xc0) === 64);
}
