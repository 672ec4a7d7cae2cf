import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createCipheriv, createHmac, randomBytes } from "node:crypto";
import { RtpHeader, SrtcpSession, SrtpSession } from "werift";
import { expandKey, xorKeyStream } from "../../../src/rtp/srtp/aes.ts";
import { AesCmCipher, deriveKey, keyStreamBlock } from "../../../src/rtp/srtp/aes_cm.ts";
import { SrtpReceiver, SrtpSender } from "../../../src/rtp/srtp/context.ts";
import { HmacSha1, writeResult } from "../../../src/rtp/srtp/hmac_sha1.ts";

const hex = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text.replaceAll(/\s/g, "").match(/../g) ?? [], (pair) => parseInt(pair, 16));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

Deno.test("AES-CM key stream: RFC 3711 B.2", () => {
  const key = hex("2B7E151628AED2A6ABF7158809CF4F3C");
  const rows: [string, string][] = [
    ["0000", "E03EAD0935C95E80E166B16DD92B4EB4"],
    ["0001", "D23513162B02D0F72A43A2FE4A5F97AB"],
    ["0002", "41E95B3BB0A2E8DD477901E4FCA894C0"],
    ["FEFF", "EC8CDF7398607CB0F2D21675EA9EA1E4"],
    ["FF00", "362B7C3C6773516318A077D7FC5073AE"],
    ["FF01", "6A2CC3787889374FBEB4C81B17BA6C44"],
  ];
  for (const [counter, expected] of rows) {
    const block = keyStreamBlock(key, hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD" + counter));
    assert.equal(toHex(block), expected.toLowerCase(), `counter ${counter}`);
  }
});

Deno.test("Key derivation: RFC 3711 B.3", () => {
  const key = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
  const salt = hex("0EC675AD498AFEEBB6960B3AABE6");
  assert.equal(toHex(deriveKey(key, salt, 0, 16)), "c61e7a93744f39ee10734afe3ff7a087");
  assert.equal(toHex(deriveKey(key, salt, 2, 14)), "30cbbc08863d8c85d49db34a9ae1");
  assert.equal(
    toHex(deriveKey(key, salt, 1, 94)),
    "cebe321f6ff7716b6fd4ab49af256a156d38baa48f0a0acf3c34e2359e6cdbce" +
      "e049646c43d9327ad175578ef72270986371c10c9a369ac2f94a8c5fbcdddc25" +
      "6d6e919a48b610ef17c2041e474035766b68642c59bbfc2f34db60dbdfb2",
  );
});

Deno.test("AES-CTR and HMAC-SHA1 agree with the system's library at every length to 200", () => {
  for (let length = 0; length <= 200; length++) {
    const key = randomBytes(16);
    const iv = randomBytes(16);
    iv[14] = 0;
    iv[15] = 0;
    const plain = randomBytes(length);
    const ours = Uint8Array.from([7, ...plain, 9]);
    const word = (at: number) => iv.readInt32BE(at);
    xorKeyStream(expandKey(key), word(0), word(4), word(8), word(12), ours, 1, length);
    assert.deepEqual(
      Buffer.from(ours.subarray(1, 1 + length)),
      createCipheriv("aes-128-ctr", key, iv).update(plain),
    );
    assert.equal(ours[0], 7);
    assert.equal(ours[length + 1], 9, "nothing behind the packet is touched");

    const macKey = randomBytes(length);
    const suffix = randomBytes(4);
    const digest = new Uint8Array(20);
    const hmac = new HmacSha1(macKey);
    hmac.digest(plain, 0, length);
    writeResult(digest, 0, 20);
    assert.equal(toHex(digest), createHmac("sha1", macKey).update(plain).digest("hex"));
    hmac.digest(plain, 0, length, suffix.readInt32BE(0), 4);
    writeResult(digest, 0, 20);
    assert.equal(
      toHex(digest),
      createHmac("sha1", macKey).update(plain).update(suffix).digest("hex"),
      `length ${length} with suffix`,
    );
  }
});

Deno.test("whole packets: the reference vector of AES_CM_128_HMAC_SHA1_80", () => {
  const cipher = new AesCmCipher(
    hex("e1f97a0d3e018be0d64fa32c06de4139"),
    hex("0ec675ad498afeebb6960b3aabe6"),
  );
  const rtp = hex("800f1234decafbadcafebabe" + "ab".repeat(16) + "00".repeat(20));
  assert.equal(cipher.sealRtp(rtp, 0, 12, 28, 0), 38);
  assert.equal(
    toHex(rtp.subarray(0, 38)),
    "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
  );
  const rtcp = hex("81c8000bcafebabe" + "ab".repeat(16) + "00".repeat(20));
  assert.equal(cipher.sealRtcp(rtcp, 0, 24, 1), 38);
  assert.equal(
    toHex(rtcp.subarray(0, 38)),
    "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798",
  );
});

Deno.test("SRTP and SRTCP are understood by another implementation, and the other way round", () => {
  const keys = [randomBytes(16), randomBytes(14), randomBytes(16), randomBytes(14)] as const;
  const config = {
    profile: 1 as const,
    keys: {
      localMasterKey: keys[2],
      localMasterSalt: keys[3],
      remoteMasterKey: keys[0],
      remoteMasterSalt: keys[1],
    },
  };
  const theirs = new SrtpSession(config);
  const theirsControl = new SrtcpSession(config);
  const sender = new SrtpSender(new AesCmCipher(keys[0], keys[1]));
  const receiver = new SrtpReceiver(new AesCmCipher(keys[2], keys[3]));
  for (let i = 0; i < 300; i++) {
    // Goes over the end of the sequence numbers, so that the rollover counter takes part.
    const sequence = (65400 + i) & 0xffff;
    const header = hex("906f0000000000010badcafe");
    header[2] = sequence >>> 8;
    header[3] = sequence;
    const body = randomBytes(i % 97);
    const plain = Buffer.from([...header, ...hex("bede0001 10ff0000"), ...body]);
    const packet = Uint8Array.from([...plain, ...new Uint8Array(20)]);
    const length = sender.protectRtp(packet, 0, plain.length);
    assert.deepEqual(theirs.decrypt(Buffer.from(packet.subarray(0, length))), plain);

    const sealed = theirs.encrypt(plain.subarray(20), RtpHeader.deSerialize(plain));
    const copy = Uint8Array.from(sealed);
    assert.equal(receiver.unprotectRtp(copy, 0, copy.length), plain.length);
    assert.deepEqual(Buffer.from(copy.subarray(0, plain.length)), plain);

    const control = Buffer.from([...hex("81c90007 0badcafe"), ...randomBytes(24)]);
    const controlPacket = Uint8Array.from([...control, ...new Uint8Array(20)]);
    const controlLength = sender.protectRtcp(controlPacket, 0, control.length);
    assert.deepEqual(
      theirsControl.decrypt(Buffer.from(controlPacket.subarray(0, controlLength))),
      control,
    );
    const theirControl = Uint8Array.from(theirsControl.encrypt(control));
    assert.equal(receiver.unprotectRtcp(theirControl, 0, theirControl.length), control.length);
    assert.deepEqual(Buffer.from(theirControl.subarray(0, control.length)), control);
  }
});
