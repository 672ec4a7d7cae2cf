import assert from "node:assert/strict";
import {
  askedUfrag,
  ATTRIBUTE,
  BINDING_SUCCESS,
  integrityFits,
  isAsked,
  readStun,
  StunWriter,
} from "../../../src/rtp/ice/stun.ts";
import { HmacSha1 } from "../../../src/rtp/srtp/hmac_sha1.ts";

const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.replaceAll(/\s/g, "").match(/../g) ?? [], (pair) => parseInt(pair, 16));

const PASSWORD = new HmacSha1(new TextEncoder().encode("VOkJxbRl1RmTxUk/WvJxBt"));

/** RFC 5769 2.1. */
const REQUEST = `
  00010058 2112a442 b7e7a701 bc34d686 fa87dfae
  80220010 5354554e 20746573 7420636c 69656e74
  00240004 6e0001ff
  80290008 932ff9b1 51263b36
  00060009 6576746a 3a683676 59202020
  00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2
  80280004 e57a3bcf`;

/** RFC 5769 2.2. */
const RESPONSE = `
  0101003c 2112a442 b7e7a701 bc34d686 fa87dfae
  8022000b 74657374 20766563 746f7220
  00200008 0001a147 e112a643
  00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7
  80280004 c07d4c96`;

Deno.test("STUN request of RFC 5769 2.1", () => {
  const bytes = hex(REQUEST);
  const message = readStun(bytes, 0, bytes.length);
  assert.ok(message);
  assert.equal(message.type, 1);
  const { username, usernameLength } = message;
  const name = bytes.subarray(username, username + usernameLength);
  assert.equal(new TextDecoder().decode(name), "evtj:h6vY");
  assert.equal(askedUfrag(bytes, message), "evtj");
  assert.deepEqual(
    ["evtj", "evt", "evtj:", "evtj:h6vY", "evtk", ""].map((one) => isAsked(bytes, message, one)),
    [true, false, false, false, false, false],
  );
  assert.deepEqual(message.unknown, []);
  assert.ok(integrityFits(bytes, message, PASSWORD));
  assert.deepEqual(bytes, hex(REQUEST), "reading changes nothing");
  assert.ok(!integrityFits(bytes, message, new HmacSha1(hex("00"))));
});

Deno.test("STUN response of RFC 5769 2.2 is read, and written alike", () => {
  const bytes = hex(RESPONSE);
  const message = readStun(bytes, 0, bytes.length);
  assert.ok(message && integrityFits(bytes, message, PASSWORD));
  const out = new Uint8Array(200).fill(0xee);
  const writer = new StunWriter(out, 4, BINDING_SUCCESS, bytes, 8);
  // The vector pads with blanks where we pad with zeros, so the value goes in padded.
  writer.attribute(0x8022, hex("74657374 20766563 746f72"));
  writer.xorMappedAddress(0xc0000201, 32853);
  const length = writer.seal(PASSWORD);
  assert.equal(length, bytes.length);
  const back = readStun(out, 4, length);
  assert.ok(back && integrityFits(out, back, PASSWORD));
  assert.deepEqual(
    out.slice(back.mappedAddress, back.mappedAddress + 8),
    bytes.slice(message.mappedAddress, message.mappedAddress + 8),
  );
});

Deno.test("STUN response with an IPv6 address: RFC 5769 2.3", () => {
  const bytes = hex(
    "01010048 2112a442 b7e7a701bc34d686fa87dfae 8022000b 74657374 20766563 746f7220" +
      "00200014 0002a147 0113a9faa5d3f179bc25f4b5bed2b9d9" +
      "00080014 a382954e4be67bf11784c97c8292c275bfe3ed41 80280004 c8fb0b4c",
  );
  const message = readStun(bytes, 0, bytes.length);
  assert.ok(message && integrityFits(bytes, message, PASSWORD));
  const out = new Uint8Array(200).fill(0xee);
  const writer = new StunWriter(out, 4, BINDING_SUCCESS, bytes, 8);
  writer.xorMappedIpv6(hex("20010db8 12345678 00112233 44556677"), 32853);
  const back = readStun(out, 4, writer.seal(PASSWORD));
  assert.ok(back && integrityFits(out, back, PASSWORD));
  assert.deepEqual(
    out.slice(back.mappedAddress, back.mappedAddress + 20),
    bytes.slice(message.mappedAddress, message.mappedAddress + 20),
  );
});

Deno.test("every flipped bit of an authentic request is noticed", () => {
  const good = hex(REQUEST);
  // FINGERPRINT, the last 8 bytes, is not covered by MESSAGE-INTEGRITY, nor is it what
  // authenticates.
  for (let bit = 0; bit < (good.length - 8) * 8; bit++) {
    const bytes = good.slice();
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    const message = readStun(bytes, 0, bytes.length);
    assert.ok(message === undefined || !integrityFits(bytes, message, PASSWORD), `bit ${bit}`);
  }
});

Deno.test("attributes behind MESSAGE-INTEGRITY are ignored", () => {
  const out = new Uint8Array(200);
  const writer = new StunWriter(out, 0, 1, new Uint8Array(12), 0);
  writer.attribute(ATTRIBUTE.username, new TextEncoder().encode("a:b"));
  const length = writer.seal(PASSWORD);
  // USE-CANDIDATE slipped in before the fingerprint, which is taken away.
  const forged = new Uint8Array(length - 8 + 4);
  forged.set(out.subarray(0, length - 8));
  forged.set([0, ATTRIBUTE.useCandidate, 0, 0], length - 8);
  forged[3] = forged.length - 20;
  const message = readStun(forged, 0, forged.length);
  assert.ok(message);
  assert.equal(message.useCandidate, false);
});
