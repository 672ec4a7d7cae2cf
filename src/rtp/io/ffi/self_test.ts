import type { SrtpProfile } from "../../contract.ts";
import type { SrtpEngine } from "../../srtp/cipher.ts";
import { MAX_SRTP_OVERHEAD } from "../../srtp/cipher.ts";
import type { Arena } from "./arena.ts";
import { ReceiveVector, SendQueue } from "./datagrams.ts";
import { Descriptors } from "./descriptors.ts";
import {
  AF_INET,
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EPOLL_CLOEXEC,
  epollLayout,
  type Libc,
  SOCKADDR_IN,
} from "./libc.ts";
import { LEG_BUFFER, Sockets } from "./sockets.ts";

/**
 * What is tried before anything rests on it. A structure that is laid out differently here would
 * corrupt memory, and a cipher that is wrong would be silent.
 */

interface Vector {
  readonly key: string;
  readonly salt: string;
  readonly rtp: string;
  readonly rtcp: string;
}

/** Plain packets: 16 bytes of 0xab behind a header; rollover counter 0, SRTCP index 1. */
const PLAIN_RTP = "800f1234decafbadcafebabe" + "ab".repeat(16);
const PLAIN_RTCP = "81c8000bcafebabe" + "ab".repeat(16);
const CM_KEYS = {
  key: "e1f97a0d3e018be0d64fa32c06de4139",
  salt: "0ec675ad498afeebb6960b3aabe6",
} as const;
const CM_RTCP = "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798";

/** Known answers of each profile, from master keys on (RFC 3711, RFC 7714). */
export const VECTORS: Readonly<Record<SrtpProfile, Vector>> = {
  1: {
    ...CM_KEYS,
    rtp: "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
    rtcp: CM_RTCP,
  },
  2: {
    ...CM_KEYS,
    rtp: "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc",
    rtcp: CM_RTCP,
  },
  7: {
    key: "000102030405060708090a0b0c0d0e0f",
    salt: "a0a1a2a3a4a5a6a7a8a9aaab",
    rtp: "800f1234decafbadcafebabe" +
      "c5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392",
    rtcp: "81c8000bcafebabe" +
      "c98b8b5df0392a55852b6c21ac8e7025c52c6fbea2b3b446ea31123ba88ce61e80000001",
  },
  8: {
    key: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    salt: "a0a1a2a3a4a5a6a7a8a9aaab",
    rtp: "800f1234decafbadcafebabe" +
      "0af7f21e8a90bdad7a425c9c31ed4bb1d90238917e7390a2793500e1681acaea",
    rtcp: "81c8000bcafebabe" +
      "8abfafa780070a90e80f9161cf4aac081ed93aaa53c15b0f3ed1a3b984167b0380000001",
  },
};

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function expect(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(`${what} is not as expected`);
}

/**
 * Known answers of every profile of the engine, both ways, and a forged tag refused.
 * @param buffer packets are put here at `offset`, 100 bytes
 * @throws Error naming what is wrong
 */
export function checkSrtp(engine: SrtpEngine, buffer: Uint8Array, offset: number): void {
  for (const profile of engine.profiles) {
    const vector = VECTORS[profile];
    const cipher = engine.cipher(profile, bytesOf(vector.key), bytesOf(vector.salt));
    const name = `profile ${profile} of ${engine.name}`;
    const holds = (hex: string, length: number) =>
      length === hex.length / 2 && bytesOf(hex).every((byte, i) => byte === buffer[offset + i]);
    const put = (hex: string) => {
      const bytes = bytesOf(hex);
      buffer.fill(0, offset, offset + bytes.length + MAX_SRTP_OVERHEAD);
      buffer.set(bytes, offset);
      return bytes.length;
    };
    const sealed = cipher.sealRtp(buffer, offset, 12, put(PLAIN_RTP), 0);
    expect(holds(vector.rtp, sealed), `RTP protected by ${name}`);
    const opened = cipher.openRtp(buffer, offset, 12, sealed, 0);
    expect(holds(PLAIN_RTP, opened), `RTP opened by ${name}`);
    const sealedRtcp = cipher.sealRtcp(buffer, offset, put(PLAIN_RTCP), 1);
    expect(holds(vector.rtcp, sealedRtcp), `RTCP protected by ${name}`);
    const index = cipher.rtcpIndex(buffer, offset, sealedRtcp);
    const openedRtcp = cipher.openRtcp(buffer, offset, sealedRtcp);
    expect(index === 1 && holds(PLAIN_RTCP, openedRtcp), `RTCP opened by ${name}`);
    for (
      const [hex, open] of [
        [vector.rtp, (length: number) => cipher.openRtp(buffer, offset, 12, length, 0)],
        [vector.rtcp, (length: number) => cipher.openRtcp(buffer, offset, length)],
      ] as const
    ) {
      const length = put(hex);
      buffer[offset + 20]! ^= 1;
      expect(open(length) === -1, `a forged packet at ${name}`);
    }
    cipher.close?.();
  }
}

const SLOT = 2048;

/**
 * Sends datagrams to ourselves over loopback through every structure that the shell uses.
 * @throws Error naming what is wrong
 */
export function checkLayouts(libc: Libc, arena: Arena): void {
  const descriptors = new Descriptors(Descriptors.memory());
  const sockets = new Sockets(libc, arena, descriptors);
  try {
    const from = sockets.open("127.0.0.1", 0, LEG_BUFFER);
    const to = sockets.open("127.0.0.1", 0, LEG_BUFFER);
    const epoll = sockets.keep(libc.epoll_create1(EPOLL_CLOEXEC), "an epoll set");
    const event = sockets.keep(libc.eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), "an eventfd");
    sockets.watch(epoll, event, 0x123456);
    sockets.watch(epoll, to.descriptor, 0x654321);
    const slots = arena.allocate(8 * SLOT, 64);
    const receive = new ReceiveVector(libc, arena, slots, 4, SLOT, 1500);
    const queue = new SendQueue(libc, arena, 4);
    // Two that differ, then two alike, which go as one where the kernel can do that.
    const lengths = [33, 1200, 700, 700];
    lengths.forEach((length, i) => {
      const at = slots + (4 + i) * SLOT;
      arena.bytes.fill(i + 1, at, at + length);
      arena.view.setUint16(queue.nextName, AF_INET, true);
      arena.view.setUint16(queue.nextName + 2, to.local.port);
      arena.view.setUint32(queue.nextName + 4, 0x7f000001);
      queue.push(from.descriptor, SOCKADDR_IN, at, length);
    });
    queue.flush();
    checkEvents(libc, arena, epoll);
    const count = receive.receive(to.descriptor, 0, 4);
    expect(count === 4, `the number of datagrams, ${count} of 4,`);
    lengths.forEach((length, i) => {
      expect(receive.take(i) === length, `the length of datagram ${i}`);
      const name = receive.name(i);
      const port = arena.view.getUint16(name + 2);
      const address = arena.view.getUint32(name + 4);
      expect(arena.view.getUint16(name, true) === AF_INET, "the family of a sender");
      expect(port === from.local.port && address === 0x7f000001, "the address of a sender");
      const at = slots + i * SLOT;
      const isWhole = arena.bytes.subarray(at, at + length).every((byte) => byte === i + 1);
      expect(isWhole, `the content of datagram ${i}`);
    });
  } finally {
    descriptors.closeAll(libc);
  }
}

function checkEvents(libc: Libc, arena: Arena, epoll: number): void {
  const { size, data } = epollLayout(Deno.build.arch);
  const events = arena.allocate(4 * 16);
  const count = libc.epoll_wait(epoll, arena.address(events), 4, 1000);
  const told = [0, 1].map((i) => arena.view.getUint32(events + i * size + data, true)).sort();
  expect(
    count === 2 && told[0] === 0x123456 && told[1] === 0x654321,
    "what epoll_wait tells of two descriptors",
  );
}
