import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createCipheriv, randomBytes } from "node:crypto";
import { RtpHeader, SrtcpSession, SrtpSession } from "werift";
import type { SrtpProfile } from "../../src/rtp/contract.ts";
import { Arena } from "../../src/rtp/io/ffi/arena.ts";
import { GcmCipher } from "../../src/rtp/io/ffi/gcm_cipher.ts";
import { openLibcrypto } from "../../src/rtp/io/ffi/libcrypto.ts";
import { CipherMemory } from "../../src/rtp/io/ffi/libcrypto_cipher.ts";
import { LibcryptoSrtp } from "../../src/rtp/io/ffi/libcrypto_srtp.ts";
import { checkSrtp, VECTORS } from "../../src/rtp/io/ffi/self_test.ts";
import { deriveSessionKeys, WORK_LENGTH } from "../../src/rtp/io/ffi/srtp_keys.ts";
import { typescriptSrtp } from "../../src/rtp/srtp/aes_cm.ts";
import type { SrtpCipher, SrtpEngine } from "../../src/rtp/srtp/cipher.ts";
import { SrtpReceiver, SrtpSender } from "../../src/rtp/srtp/context.ts";
import { needs } from "../support/needs.ts";

const { ignore } = needs("libcrypto");

const hex = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text.replaceAll(/\s/g, "").match(/../g) ?? [], (pair) => parseInt(pair, 16));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function libcrypto(): { arena: Arena; engine: LibcryptoSrtp } {
  const arena = new Arena(64 * 1024);
  return { arena, engine: new LibcryptoSrtp(arena) };
}

const GALLIA = "8040f17b8041f8d35501a0b2" + toHex(Buffer.from(
  "Gallia est omnis divisa in partes tres",
));

Deno.test({
  name: "AEAD_AES_128_GCM and AEAD_AES_256_GCM: RFC 7714 16.1.1, 16.2.1, from session keys",
  ignore,
  fn() {
    const { arena } = libcrypto();
    const memory = new CipherMemory(openLibcrypto(), arena);
    const salt = hex("517569642070726f2071756f");
    const rows = [
      [
        "000102030405060708090a0b0c0d0e0f",
        "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833" +
        "899d7f27beb16a9152cf765ee4390cce",
      ],
      [
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b" +
        "7aa3db36dfffd6b0f9bb7878d7a76c13",
      ],
    ] as const;
    for (const [key, body] of rows) {
      const keys = { encryption: hex(key), authentication: hex(""), salt };
      const cipher = new GcmCipher(memory, keys, keys);
      const at = arena.allocate(128);
      arena.bytes.set(hex(GALLIA), at);
      const length = cipher.sealRtp(arena.bytes, at, 12, GALLIA.length / 2, 0);
      assert.equal(toHex(arena.bytes.subarray(at, at + length)), GALLIA.slice(0, 24) + body);
      assert.equal(cipher.openRtp(arena.bytes, at, 12, length, 0), GALLIA.length / 2);
      assert.equal(toHex(arena.bytes.subarray(at, at + GALLIA.length / 2)), GALLIA);
      cipher.close();
    }
  },
});

Deno.test({
  name: "key derivation: RFC 3711 B.3, and AES-256 as node:crypto does it",
  ignore,
  fn() {
    const { arena } = libcrypto();
    const work = arena.allocate(WORK_LENGTH);
    const cm = { isGcm: false, keyLength: 16, saltLength: 14, rtpTag: 10, rtcpTag: 10 } as const;
    const key = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
    const derived = deriveSessionKeys(
      openLibcrypto(),
      arena,
      work,
      cm,
      key,
      hex("0EC675AD498AFEEBB6960B3AABE6"),
      0,
    );
    assert.equal(toHex(derived.encryption), "c61e7a93744f39ee10734afe3ff7a087");
    assert.equal(toHex(derived.salt), "30cbbc08863d8c85d49db34a9ae1");
    assert.equal(toHex(derived.authentication), "cebe321f6ff7716b6fd4ab49af256a156d38baa4");
    assert.ok(arena.bytes.subarray(work, work + WORK_LENGTH).every((byte) => byte === 0), "wiped");

    const gcm = { isGcm: true, keyLength: 32, saltLength: 12, rtpTag: 16, rtcpTag: 16 } as const;
    const [long, salt] = [randomBytes(32), randomBytes(12)];
    for (const first of [0, 3] as const) {
      const ours = deriveSessionKeys(openLibcrypto(), arena, work, gcm, long, salt, first);
      const reference = (label: number, length: number) => {
        const iv = Buffer.concat([salt, Buffer.alloc(4)]);
        iv[7]! ^= label;
        return createCipheriv("aes-256-ctr", long, iv).update(Buffer.alloc(length));
      };
      assert.equal(toHex(ours.encryption), toHex(reference(first, 32)));
      assert.equal(toHex(ours.salt), toHex(reference(first + 2, 12)));
    }
  },
});

/** Every engine beside every shell: the one that runs is chosen at start, so all are tried here. */
const ENGINES: readonly (readonly [string, () => SrtpEngine])[] = [
  ["typescript", () => typescriptSrtp],
  ...(!ignore ? [["libcrypto", () => libcrypto().engine] as const] : []),
];

for (const [name, make] of ENGINES) {
  Deno.test(`${name}: known answers of all its profiles, in any buffer`, () => {
    const engine = make();
    checkSrtp(engine, new Uint8Array(200), 3);
    assert.ok(engine.profiles.length >= 1);
    for (const profile of engine.profiles) {
      assert.throws(() => engine.cipher(profile, new Uint8Array(15), new Uint8Array(14)));
    }
  });
}

Deno.test("a wrong engine is found out", () => {
  const { key } = VECTORS[1];
  const broken: SrtpEngine = {
    ...typescriptSrtp,
    cipher: (profile, masterKey, salt) => {
      const wrong = masterKey.slice();
      if (toHex(masterKey) === key) wrong[0]! ^= 1;
      return typescriptSrtp.cipher(profile, wrong, salt);
    },
  };
  assert.throws(() => checkSrtp(broken, new Uint8Array(200), 0), /RTP protected by profile 1/);
});

Deno.test({
  name: "libcrypto in the arena agrees with TypeScript at every length and header",
  ignore,
  fn() {
    const { arena, engine } = libcrypto();
    const at = arena.allocate(2048, 64);
    const [key, salt] = [randomBytes(16), randomBytes(14)];
    const ours = engine.cipher(1, key, salt);
    const reference = typescriptSrtp.cipher(1, key, salt);
    for (let length = 12; length < 330; length++) {
      const packet = Uint8Array.from([0x80, ...randomBytes(length - 1), ...new Uint8Array(20)]);
      packet[0] = 0x80 | (length > 24 ? length % 4 : 0);
      const header = 12 + 4 * (packet[0]! & 15);
      const roc = length * 0x01234567 >>> 0;
      arena.bytes.set(packet, at);
      const sealed = ours.sealRtp(arena.bytes, at, header, length, roc);
      assert.equal(reference.sealRtp(packet, 0, header, length, roc), sealed);
      assert.equal(
        toHex(arena.bytes.subarray(at, at + sealed)),
        toHex(packet.subarray(0, sealed)),
        `RTP of ${length}`,
      );
      assert.equal(ours.openRtp(arena.bytes, at, header, sealed, roc), length);
      assert.equal(reference.openRtp(packet, 0, header, sealed, roc), length);
      const index = (length * 7919) & 0x7fffffff;
      const sealedRtcp = ours.sealRtcp(arena.bytes, at, length, index);
      assert.equal(reference.sealRtcp(packet, 0, length, index), sealedRtcp);
      assert.equal(
        toHex(arena.bytes.subarray(at, at + sealedRtcp)),
        toHex(packet.subarray(0, sealedRtcp)),
      );
      assert.equal(ours.rtcpIndex(arena.bytes, at, sealedRtcp), index);
    }
    ours.close?.();
  },
});

/** Sessions of another implementation for the two profiles that it knows. */
function theirs(profile: 1 | 7, keys: readonly Buffer[]) {
  const config = {
    profile,
    keys: {
      localMasterKey: keys[2]!,
      localMasterSalt: keys[3]!,
      remoteMasterKey: keys[0]!,
      remoteMasterSalt: keys[1]!,
    },
  };
  return { rtp: new SrtpSession(config), rtcp: new SrtcpSession(config) };
}

Deno.test({
  name: "GCM and CM are understood by another implementation, and the other way round",
  ignore,
  fn() {
    const { engine } = libcrypto();
    for (const profile of [1, 7] as const) {
      const saltLength = profile === 1 ? 14 : 12;
      const keys = [16, saltLength, 16, saltLength].map((length) => randomBytes(length));
      const other = theirs(profile, keys);
      const cipher = (i: number): SrtpCipher => engine.cipher(profile, keys[i]!, keys[i + 1]!);
      const [sender, receiver] = [new SrtpSender(cipher(0)), new SrtpReceiver(cipher(2))];
      for (let i = 0; i < 300; i++) {
        // Goes over the end of the sequence numbers, so that the rollover counter takes part.
        const sequence = (65400 + i) & 0xffff;
        const header = hex("806f0000000000010badcafe");
        header.set([sequence >>> 8, sequence & 255], 2);
        const plain = Buffer.concat([header, randomBytes(20 + i % 97)]);
        const packet = Uint8Array.from([...plain, ...new Uint8Array(20)]);
        const length = sender.protectRtp(packet, 0, plain.length);
        assert.deepEqual(other.rtp.decrypt(Buffer.from(packet.subarray(0, length))), plain);
        const sealed = Uint8Array.from(
          other.rtp.encrypt(plain.subarray(12), RtpHeader.deSerialize(plain)),
        );
        assert.equal(receiver.unprotectRtp(sealed, 0, sealed.length), plain.length);
        assert.deepEqual(Buffer.from(sealed.subarray(0, plain.length)), plain);

        const control = Buffer.from([...hex("81c90007 0badcafe"), ...randomBytes(24)]);
        const rtcp = Uint8Array.from([...control, ...new Uint8Array(20)]);
        const rtcpLength = sender.protectRtcp(rtcp, 0, control.length);
        assert.deepEqual(other.rtcp.decrypt(Buffer.from(rtcp.subarray(0, rtcpLength))), control);
        const their = Uint8Array.from(other.rtcp.encrypt(control));
        assert.equal(receiver.unprotectRtcp(their, 0, their.length), control.length);
        assert.deepEqual(Buffer.from(their.subarray(0, control.length)), control);
      }
      receiver.close();
      sender.close();
    }
  },
});

Deno.test({
  name: "SRTCP whose encryption flag was taken away is refused, in every profile",
  ignore,
  fn() {
    const { engine } = libcrypto();
    const packet = hex("81c8000bcafebabe" + "ab".repeat(16) + "00".repeat(24));
    for (const profile of engine.profiles as SrtpProfile[]) {
      const { key, salt } = VECTORS[profile];
      const cipher = engine.cipher(profile, hex(key), hex(salt));
      const copy = packet.slice();
      // A packet of the encrypted form with the flag taken away is a forgery.
      const length = cipher.sealRtcp(copy, 0, 24, 9);
      const flag = profile >= 7 ? length - 4 : 24;
      copy[flag]! &= 0x7f;
      assert.equal(cipher.openRtcp(copy, 0, length), -1, `profile ${profile}`);
    }
  },
});
