import assert from "node:assert/strict";
import { type Choice, choose, type NativeParts } from "../../src/rtp/io/ffi/choose.ts";
import { epollLayout, type Libc, openLibc } from "../../src/rtp/io/ffi/libc.ts";
import { LibcryptoSrtp } from "../../src/rtp/io/ffi/libcrypto_srtp.ts";
import { typescriptSrtp } from "../../src/rtp/srtp/aes_cm.ts";
import type { SrtpCipher } from "../../src/rtp/srtp/cipher.ts";
import { needs } from "../support/needs.ts";
import { libcWith, memoryAt } from "../support/shell_stage.ts";

/** What is chosen where a native part is missing, or is not as it should be. */

const isLinux = Deno.build.os === "linux";
const hasLibcrypto = !needs("libcrypto").ignore;
const SYSTEM: NativeParts = { libc: openLibc, srtp: (arena) => new LibcryptoSrtp(arena) };

function chosenWith(parts: Partial<NativeParts>): Choice {
  return choose(null, false, { ...SYSTEM, ...parts });
}

/** Places inside `struct mmsghdr`. */
const NAME = 0;
const IOV = 16;
const CONTROL = 32;
const CONTROL_LENGTH = 40;
const MSG_LENGTH = 56;
const MMSGHDR = 64;
const AF_INET6 = 10;

type Received = (message: DataView, sockaddr: DataView | null, index: number) => void;

/** Changes what was received behind the system's back. */
function receiving(change: Received): Partial<Libc> {
  const { recvmmsg } = openLibc();
  return {
    recvmmsg: (descriptor, at, most, flags, timeout) => {
      const count = recvmmsg(descriptor, at, most, flags, timeout);
      for (let i = 0; i < count; i++) {
        const message = memoryAt((at as bigint) + BigInt(i * MMSGHDR), MMSGHDR);
        const name = message.getBigUint64(NAME, true);
        change(message, name === 0n ? null : memoryAt(name, 28), i);
      }
      return count;
    },
  };
}

const isIpv6 = (sockaddr: DataView | null) => sockaddr?.getUint16(0, true) === AF_INET6;

/** A system with structures other than ours, and what is said of it. */
const STRANGE: readonly (readonly [name: string, says: RegExp, made: () => Partial<Libc>])[] = [
  ["the length in mmsghdr", /the length of datagram 1 /, () =>
    receiving((message, _, i) => {
      if (i === 1) message.setUint32(MSG_LENGTH, 1199, true);
    })],
  [
    "the port in sockaddr_in",
    /the port of a sender at 127\.0\.0\.1 /,
    () => receiving((_, sockaddr) => sockaddr?.setUint16(2, 9)),
  ],
  [
    "the address in sockaddr_in",
    /the address of a sender at 127\.0\.0\.1 /,
    () =>
      receiving((_, sockaddr) => {
        if (sockaddr !== null && !isIpv6(sockaddr)) sockaddr.setUint8(7, 2);
      }),
  ],
  [
    "the address in sockaddr_in6",
    /the address of a sender at ::1 /,
    () =>
      receiving((_, sockaddr) => {
        if (sockaddr !== null && isIpv6(sockaddr)) sockaddr.setUint8(8, 0x20);
      }),
  ],
  ["the content", /the content of datagram 2 /, () =>
    receiving((message, _, i) => {
      if (i !== 2) return;
      const vector = memoryAt(message.getBigUint64(IOV, true), 16);
      memoryAt(vector.getBigUint64(0, true), 700).setUint8(699, 0);
    })],
  [
    "control messages that come",
    /mark 46 over 127\.0\.0\.1 /,
    () =>
      receiving((message, sockaddr) => {
        const control = message.getBigUint64(CONTROL, true);
        if (sockaddr === null && control !== 0n) memoryAt(control, 20).setUint8(16, 0);
      }),
  ],
  ["control messages that go", /mark 46 over 127\.0\.0\.1 /, () => {
    const { sendmmsg } = openLibc();
    return {
      sendmmsg: (descriptor, at, count, flags) => {
        for (let i = 0; i < count; i++) {
          const message = memoryAt((at as bigint) + BigInt(i * MMSGHDR), MMSGHDR);
          const control = message.getBigUint64(CONTROL, true);
          // Of marks alone, which are of level 0.
          if (control === 0n || memoryAt(control, 16).getInt32(8, true) !== 0) continue;
          message.setBigUint64(CONTROL_LENGTH, 0n, true);
        }
        return sendmmsg(descriptor, at, count, flags);
      },
    };
  }],
  ["epoll_event", /what epoll_wait tells /, () => {
    const { epoll_wait } = openLibc();
    return {
      epoll_wait: (epoll, at, most, timeout) => {
        const count = epoll_wait(epoll, at, most, timeout);
        if (count > 0) memoryAt(at as bigint, 16).setUint8(epollLayout(Deno.build.arch).data, 7);
        return count;
      },
    };
  }],
  ["timespec", /the system's monotonic clock /, () => {
    const { clock_gettime } = openLibc();
    return {
      clock_gettime: (clock, at) => {
        const result = clock_gettime(clock, at);
        // Both fields in 32 bits.
        const time = memoryAt(at as bigint, 16);
        const [seconds, nanoseconds] = [time.getUint32(0, true), time.getUint32(8, true)];
        time.setUint32(4, nanoseconds, true);
        time.setUint32(0, seconds, true);
        return result;
      },
    };
  }],
];

for (const [name, says, made] of STRANGE) {
  Deno.test({
    name: `the structures of another system: ${name}; the portable shell serves`,
    ignore: !isLinux || (name.includes("in6") && !hasIpv6()),
    fn() {
      const { shell, srtp, why } = chosenWith({ libc: () => libcWith(made()) });
      assert.deepEqual([shell, srtp.name], ["portable", "typescript"]);
      assert.match(why, /^no fast shell: /);
      assert.match(why, says);
      assert.doesNotMatch(why, /passed/);
    },
  });
}

Deno.test("no C library that is known: the portable shell serves, and says what was missing", () => {
  const { shell, srtp, why } = chosenWith({
    libc: () => Deno.dlopen("libc.so.of-nowhere", {}).symbols as never,
  });
  assert.deepEqual([shell, srtp.name], ["portable", "typescript"]);
  assert.match(why, /^no fast shell: .*libc\.so\.of-nowhere/);
});

Deno.test({
  name: "no libcrypto: the fast shell with SRTP in TypeScript, and says what was missing",
  ignore: !isLinux,
  fn() {
    const { shell, srtp, why } = chosenWith({
      srtp: () => Deno.dlopen("libcrypto.so.of-nowhere", {}).symbols as never,
    });
    assert.deepEqual([shell, srtp.name], ["ffi", "typescript"]);
    assert.match(why, /^SRTP in TypeScript: .*libcrypto\.so\.of-nowhere/);
  },
});

/** One method of one profile's ciphers gives something else. */
function wrong(profile: number, method: "sealRtp" | "openRtp" | "sealRtcp" | "openRtcp") {
  return (arena: ConstructorParameters<typeof LibcryptoSrtp>[0]) => {
    const engine = new LibcryptoSrtp(arena);
    return {
      name: engine.name,
      profiles: engine.profiles,
      guardHolds: () => true,
      cipher: (which: 1 | 2 | 7 | 8, key: Uint8Array, salt: Uint8Array): SrtpCipher => {
        const cipher = engine.cipher(which, key, salt);
        if (which !== profile) return cipher;
        return new Proxy(cipher, {
          get: (target, name) => {
            const found: unknown = Reflect.get(target, name);
            if (typeof found !== "function") return found;
            return (...given: unknown[]) => {
              const result: unknown = found.apply(target, given);
              if (name === method) (given[0] as Uint8Array)[(given[1] as number) + 20]! ^= 1;
              return result;
            };
          },
        });
      },
    };
  };
}

for (const profile of [1, 2, 7, 8] as const) {
  for (const method of ["sealRtp", "openRtp", "sealRtcp", "openRtcp"] as const) {
    Deno.test({
      name: `libcrypto is wrong in ${method} of profile ${profile}: SRTP in TypeScript, and why`,
      ignore: !isLinux || !hasLibcrypto,
      fn() {
        const { shell, srtp, why } = chosenWith({ srtp: wrong(profile, method) });
        assert.deepEqual([shell, srtp.name], ["ffi", "typescript"]);
        const what = `${method.endsWith("Rtp") ? "RTP" : "RTCP"} ${
          method.startsWith("seal") ? "protected" : "opened"
        }`;
        assert.match(why, new RegExp(`^SRTP in TypeScript: ${what} by profile ${profile} of `));
      },
    });
  }
}

Deno.test({
  name: "libcrypto writes over its room: SRTP in TypeScript",
  ignore: !isLinux || !hasLibcrypto,
  fn() {
    const { srtp, why } = chosenWith({
      srtp: (arena) => Object.assign(new LibcryptoSrtp(arena), { guardHolds: () => false }),
    });
    assert.equal(srtp.name, "typescript");
    assert.match(why, /SHA_CTX is larger/);
  },
});

const OTHER: Readonly<Record<number, 1 | 2>> = { 1: 2, 2: 1 };

Deno.test("SRTP in TypeScript that is wrong is not used for anything, phones' suite included", () => {
  const { cipher } = typescriptSrtp;
  const engine = typescriptSrtp as { cipher: typeof cipher };
  for (const broken of [1, 2]) {
    engine.cipher = (profile, key, salt) =>
      cipher.call(typescriptSrtp, profile === broken ? OTHER[profile]! : profile, key, salt);
    try {
      assert.throws(() => choose("it is off"), new RegExp(`profile ${broken} of typescript`));
    } finally {
      engine.cipher = cipher;
    }
  }
});

Deno.test({
  name: "the system does not segment: that is said, and no more",
  ignore: !isLinux,
  fn() {
    const { setsockopt } = openLibc();
    const UDP = 17;
    const { shell, why } = chosenWith({
      libc: () =>
        libcWith({
          setsockopt: (descriptor, level, ...rest) =>
            level === UDP ? -1 : setsockopt(descriptor, level, ...rest),
        }),
    });
    assert.equal(shell, "ffi");
    assert.match(why, /; the system does not segment datagrams/);
  },
});

function hasIpv6(): boolean {
  try {
    Deno.listenDatagram({ transport: "udp", hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}
