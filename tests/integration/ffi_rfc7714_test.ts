import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createCipheriv } from "node:crypto";
import type { MediaCommand, SrtpProfile } from "../../src/rtp/contract.ts";
import { Arena } from "../../src/rtp/io/ffi/arena.ts";
import { FfiShell } from "../../src/rtp/io/ffi/ffi_shell.ts";
import { GcmCipher } from "../../src/rtp/io/ffi/gcm_cipher.ts";
import { openLibc } from "../../src/rtp/io/ffi/libc.ts";
import { openLibcrypto } from "../../src/rtp/io/ffi/libcrypto.ts";
import { CipherMemory } from "../../src/rtp/io/ffi/libcrypto_cipher.ts";
import { LibcryptoSrtp } from "../../src/rtp/io/ffi/libcrypto_srtp.ts";
import { VECTORS } from "../../src/rtp/io/ffi/self_test.ts";
import type { SrtpEngine } from "../../src/rtp/srtp/cipher.ts";
import { checkOf } from "../bench/relay/greeting.ts";
import { needs } from "../support/needs.ts";
import { libcWith, ShellStage } from "../support/shell_stage.ts";

/** The vectors of RFC 7714 16 and 17, by the cipher and as datagrams through the fast shell. */

const ignore = Deno.build.os !== "linux" || needs("libcrypto").ignore;

const hex = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text, "hex"));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** "Quid pro quo". */
const SALT = hex("517569642070726f2071756f");
const KEYS = { 7: hex("000102030405060708090a0b0c0d0e0f"), 8: new Uint8Array(32) } as const;
KEYS[8].forEach((_, i) => KEYS[8][i] = i);

const RTP = "8040f17b8041f8d35501a0b2" + toHex(Buffer.from(
  "Gallia est omnis divisa in partes tres",
));
/** 16.1, 16.2. */
const SRTP = {
  7: RTP.slice(0, 24) + "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b" +
    "36de3adf8833899d7f27beb16a9152cf765ee4390cce",
  8: RTP.slice(0, 24) + "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f" +
    "1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13",
} as const;

/** As 17.1 to 17.4 have it, SSRC "Mars"; its length field says a word more than there is. */
const RTCP = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61" +
  "deadbeef".repeat(5);
const INDEX = 0x5d4;
/** 17.1, 17.2. */
const SRTCP = {
  7: RTCP.slice(0, 16) + "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda" +
    "4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4",
  8: RTCP.slice(0, 16) + "d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be" +
    "8415f658c61de0476f1b6fad1d1eb30c4446839f57ff6f6cb26ac3be800005d4",
} as const;
/** 17.3, 17.4: tagged and not encrypted. */
const TAGGED = {
  7: `${RTCP}841dd9683dd78ec92ae58790125f62b3000005d4`,
  8: `${RTCP}91db4afbfeee5a978fab4393ed2615fe000005d4`,
} as const;

function sessionCipher(memory: CipherMemory, profile: 7 | 8): GcmCipher {
  const keys = { encryption: KEYS[profile], authentication: hex(""), salt: SALT };
  return new GcmCipher(memory, keys, keys);
}

for (const profile of [7, 8] as const) {
  const bits = profile === 7 ? 128 : 256;

  Deno.test({
    name: `AEAD_AES_${bits}_GCM: SRTCP of RFC 7714 17, both ways`,
    ignore,
    fn() {
      const arena = new Arena(64 * 1024);
      const cipher = sessionCipher(new CipherMemory(openLibcrypto(), arena), profile);
      const at = arena.allocate(256);
      const length = RTCP.length / 2;
      const there = (size: number) => toHex(arena.bytes.subarray(at, at + size));
      arena.bytes.set(hex(RTCP), at);
      const sealed = cipher.sealRtcp(arena.bytes, at, length, INDEX);
      assert.equal(there(sealed), SRTCP[profile]);
      assert.equal(cipher.rtcpIndex(arena.bytes, at, sealed), INDEX);
      assert.equal(cipher.openRtcp(arena.bytes, at, sealed), length);
      assert.equal(there(length), RTCP);
      for (const text of [SRTCP[profile], TAGGED[profile]]) {
        const bytes = hex(text);
        arena.bytes.set(bytes, at);
        assert.equal(cipher.openRtcp(arena.bytes, at, bytes.length), length);
        assert.equal(there(length), RTCP);
        for (const forged of [9, 30, length + 3, bytes.length - 1]) {
          arena.bytes.set(bytes, at);
          arena.bytes[at + forged]! ^= 1;
          assert.equal(cipher.openRtcp(arena.bytes, at, bytes.length), -1, `byte ${forged}`);
        }
      }
      cipher.close();
    },
  });
}

class OpenShell extends FfiShell {
  tell(command: Exclude<MediaCommand, { type: "start" | "crash" | "shutdown" }>): void {
    this.engine.command(command, this.now());
  }
}

/**
 * A datagram of a browser and one of a bridge's other end, through the shell; gives what each of
 * the two gets.
 */
async function through(
  srtp: (arena: Arena) => SrtpEngine,
  keys: { profile: SrtpProfile; key: Uint8Array; salt: Uint8Array },
  sealed: Uint8Array,
  plain: Uint8Array,
): Promise<readonly [browser: string, bridge: string]> {
  const { epoll_wait } = openLibc();
  using stage: ShellStage<OpenShell> = new ShellStage(
    OpenShell,
    libcWith({
      epoll_wait: (epoll, at, most) => {
        const count = epoll_wait(epoll, at, most, 100);
        if (count === 0) stage.descriptors.stop();
        return count;
      },
    }),
    srtp,
  );
  const { shell } = stage;
  const open = () => Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const [browser, bridge] = [open(), open()];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const close = () => {
    for (const socket of [browser, bridge]) {
      try {
        socket.close();
      } catch {
        // It is closed.
      }
    }
  };
  try {
    const ice = { iceUfrag: "ufrag", icePwd: "a password of ours" };
    const payloads = [{
      payloadType: plain[1]! & 0x7f,
      kind: "audio",
      codec: "opus",
      clockRate: 48_000,
    }] as const;
    const { port } = bridge.addr as Deno.NetAddr;
    const remote = { address: "127.0.0.1", port };
    const { profile, key, salt } = keys;
    const both = { localKey: key, localSalt: salt, remoteKey: key, remoteSalt: salt };
    shell.tell({ type: "open", endpoint: 1, kind: "webrtc", ...ice });
    shell.tell({ type: "set-remote", endpoint: 1, payloads });
    shell.tell({ type: "keys", endpoint: 1, keys: { profile, ...both } });
    shell.tell({ type: "open", endpoint: 2, kind: "plain" });
    shell.tell({ type: "set-remote", endpoint: 2, payloads, remote });
    shell.tell({ type: "connect", endpoint: 1, peer: 2 });
    shell.tell({ type: "connect", endpoint: 2, peer: 1 });
    const told = stage.told();
    const ready = told.find(({ type }) => type === "ready");
    const opened = told.find((event) => event.type === "opened" && event.endpoint === 2);
    assert.ok(ready?.type === "ready" && opened?.type === "opened" && opened.local);
    const at = (place: { address: string; port: number }) =>
      ({ transport: "udp", hostname: place.address, port: place.port }) as const;
    await browser.send(checkOf(ice), at(ready.addresses[0]!));
    for (const forged of [3, 20, sealed.length - 1]) {
      const copy = sealed.map((byte, i) => i === forged ? byte ^ 1 : byte);
      await browser.send(copy, at(ready.addresses[0]!));
    }
    await browser.send(sealed, at(ready.addresses[0]!));
    await bridge.send(plain, at(opened.local));
    shell.run();
    // All that comes has come.
    timer = setTimeout(close, 2000);
    const answer = (await browser.receive())[0];
    assert.equal(answer[0]! >> 6, 0, "the answer to the check");
    return [toHex((await browser.receive())[0]), toHex((await bridge.receive())[0])];
  } finally {
    clearTimeout(timer);
    close();
  }
}

for (const profile of [7, 8] as const) {
  const bits = profile === 7 ? 128 : 256;

  Deno.test({
    name: `AEAD_AES_${bits}_GCM: SRTP of RFC 7714 16 through the fast shell, both ways`,
    ignore,
    fn: async () => {
      const engine = (arena: Arena): SrtpEngine => {
        const memory = new CipherMemory(openLibcrypto(), arena);
        // The RFC has session keys, so nothing is derived.
        return {
          name: "libcrypto",
          profiles: [profile],
          cipher: () => sessionCipher(memory, profile),
        };
      };
      const keys = { profile, key: KEYS[profile], salt: SALT };
      const heard = await through(engine, keys, hex(SRTP[profile]), hex(RTP));
      assert.deepEqual(heard, [SRTP[profile], RTP]);
    },
  });

  Deno.test({
    name: `AEAD_AES_${bits}_GCM: from master keys on, through the fast shell, both ways`,
    ignore,
    fn: async () => {
      const { key, salt, rtp } = VECTORS[profile];
      const keys = { profile, key: hex(key), salt: hex(salt) };
      const plain = rtp.slice(0, 24) + "ab".repeat(16);
      const heard = await through(
        (arena) => new LibcryptoSrtp(arena),
        keys,
        hex(rtp),
        hex(plain),
      );
      assert.deepEqual(heard, [rtp, plain]);
    },
  });

  Deno.test(`AEAD_AES_${bits}_GCM: the start's known answers, worked out by other code`, () => {
    const { key, salt, rtp, rtcp } = VECTORS[profile];
    const [master, masterSalt] = [hex(key), hex(salt)];
    /** RFC 3711 4.3.1 with the salt of 96 bits, RFC 7714 11. */
    const derive = (label: number, length: number) => {
      const iv = Buffer.concat([masterSalt, Buffer.alloc(4)]);
      iv[7]! ^= label;
      return createCipheriv(`aes-${bits}-ctr`, master, iv).update(Buffer.alloc(length));
    };
    const seal = (first: number, iv: Buffer, aad: Buffer, plain: Buffer) => {
      const nonce = derive(first + 2, 12).map((byte, i) => byte ^ iv[i]!);
      const cipher = createCipheriv(`aes-${bits}-gcm`, derive(first, bits / 8), nonce);
      cipher.setAAD(aad);
      const body = Buffer.concat([cipher.update(plain), cipher.final()]);
      return toHex(Buffer.concat([body, cipher.getAuthTag()]));
    };
    const plain = Buffer.from("ab".repeat(16), "hex");
    // SSRC, rollover counter, sequence number; SSRC, index.
    const header = Buffer.from(rtp.slice(0, 24), "hex");
    const rtpIv = Buffer.from("0000cafebabe000000001234", "hex");
    assert.equal(rtp.slice(24), seal(0, rtpIv, header, plain));
    const aad = Buffer.from(`${rtcp.slice(0, 16)}80000001`, "hex");
    const rtcpIv = Buffer.from("0000cafebabe000000000001", "hex");
    assert.equal(rtcp.slice(16), `${seal(3, rtcpIv, aad, plain)}80000001`);
  });
}
