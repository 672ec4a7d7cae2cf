import assert from "node:assert/strict";
import { AES_CM_128_HMAC_SHA1_80, type SrtpKeys } from "../../../src/rtp/contract.ts";
import { KEY_OVERLAP } from "../../../src/rtp/engine/key_overlap.ts";
import { typescriptSrtp } from "../../../src/rtp/srtp/aes_cm.ts";
import type { SrtpCipher, SrtpEngine } from "../../../src/rtp/srtp/cipher.ts";
import { FakePhone, headerOf, join } from "../../support/fake_phone.ts";
import { type Datagram, EngineHarness, FakeBrowser } from "../../support/media_engine.ts";

/** A SIP leg whose keys are changed by a description. */

function keysOf(remote: number, local = remote): SrtpKeys {
  return {
    profile: AES_CM_128_HMAC_SHA1_80,
    localKey: new Uint8Array(16).fill(local),
    localSalt: new Uint8Array(14).fill(local + 1),
    remoteKey: new Uint8Array(16).fill(remote + 2),
    remoteSalt: new Uint8Array(14).fill(remote + 3),
  };
}

/** Like AEAD in place: a packet that is not authentic is spoiled when that is known. */
const spoiling: SrtpEngine = {
  ...typescriptSrtp,
  cipher(...keys): SrtpCipher {
    const cipher = typescriptSrtp.cipher(...keys);
    const spoil = (size: number, buffer: Uint8Array, offset: number, length: number) => {
      if (size < 0) buffer.fill(0xee, offset + 12, offset + length);
      return size;
    };
    return {
      rtpTagLength: cipher.rtpTagLength,
      rtcpTrailerLength: cipher.rtcpTrailerLength,
      sealRtp: (...packet) => cipher.sealRtp(...packet),
      sealRtcp: (...packet) => cipher.sealRtcp(...packet),
      rtcpIndex: (...packet) => cipher.rtcpIndex(...packet),
      openRtp: (buffer, offset, header, length, counter) =>
        spoil(cipher.openRtp(buffer, offset, header, length, counter), buffer, offset, length),
      openRtcp: (buffer, offset, length) =>
        spoil(cipher.openRtcp(buffer, offset, length), buffer, offset, length),
    };
  },
};

/** A browser and a phone; `describe` gives the phone's leg other keys. */
function rekeyed(srtp: SrtpEngine = typescriptSrtp) {
  const harness = new EngineHarness(30_000, undefined, srtp);
  const browser = new FakeBrowser(harness, 1);
  const first = new FakePhone(harness, 2, { keys: keysOf(10) });
  browser.up();
  first.up();
  join(harness, 1, 2);
  const describe = (keys: SrtpKeys) => {
    const phone = new FakePhone(browser.harness, 2, { keys });
    phone.sockets = first.sockets;
    phone.describe();
    return phone;
  };
  let sequence = 100;
  const speaks = (phone: FakePhone) => {
    const sent = phone.send(phone.packet({ ssrc: 5, sequence: sequence++ }));
    return browser.plain(sent.filter(({ port }) => port === browser.port)).length === 1;
  };
  const hears = (phone: FakePhone) => {
    const sent: Datagram[] = browser.send(browser.rtp({ ssrc: 9, sequence: sequence++ }));
    return phone.plain(sent).every((packet) => headerOf(packet).ssrc === 9) && sent.length === 1;
  };
  return { harness, browser, first, describe, speaks, hears };
}

for (const [name, srtp] of [["", typescriptSrtp], [", decrypted in place", spoiling]] as const) {
  Deno.test(`new keys: the former ones open what is under way, until the new ones are used${name}`, () => {
    const { first, describe, speaks, hears } = rekeyed(srtp);
    assert.ok(speaks(first) && hears(first));
    const late = first.packet({ ssrc: 5, sequence: 90 });
    const second = describe(keysOf(20));
    assert.ok(hears(second), "we use our new ones at once");
    assert.ok(speaks(first), "the phone has not heard yet");
    assert.ok(speaks(first));
    assert.equal(first.send(late).length, 1);
    assert.equal(first.send(late).length, 0, "and each packet once");
    const wrong = new FakePhone(first.harness, 2, { keys: keysOf(77) });
    wrong.sockets = first.sockets;
    assert.ok(!speaks(wrong), "not under any keys");
    assert.ok(speaks(first), "and that ends nothing");
    assert.ok(speaks(second));
    assert.ok(!speaks(first), "it has heard: its former keys are over");
    assert.ok(speaks(second) && hears(second));
  });
}

Deno.test("new keys: reports too, under either", () => {
  const { first, describe, speaks } = rekeyed();
  assert.ok(speaks(first));
  const second = describe(keysOf(20));
  const takes = (phone: FakePhone) => {
    const { harness } = phone;
    const dropped = () => {
      harness.advance(1000);
      const rows = harness.of("statistics").flatMap(({ endpoints }) => endpoints);
      return rows.findLast(({ endpoint }) => endpoint === 2)!.statistics.dropped;
    };
    const before = dropped();
    phone.sendRtcp(Uint8Array.of(0x80, 201, 0, 1, 0, 0, 0, 5));
    return dropped() === before;
  };
  assert.ok(takes(first));
  assert.ok(takes(second));
  assert.ok(!takes(first));
  assert.ok(speaks(second));
});

Deno.test("new keys: after some seconds the former ones open nothing, whatever came", () => {
  const { harness, first, describe, speaks } = rekeyed();
  assert.ok(speaks(first));
  const second = describe(keysOf(20));
  harness.advance(KEY_OVERLAP - 1500);
  assert.ok(speaks(first));
  harness.advance(3000);
  assert.ok(!speaks(first));
  assert.ok(speaks(second));
});

Deno.test("new keys and back again: what was seen under the first is not taken twice", () => {
  const { harness, first, describe, speaks } = rekeyed();
  const packet = first.packet({ ssrc: 5, sequence: 99 });
  assert.equal(first.send(packet).length, 1);
  const second = describe(keysOf(20));
  const again = describe(keysOf(10, 30));
  assert.equal(again.send(packet).length, 0, "seen before");
  assert.ok(speaks(second), "now those are the former ones");
  assert.ok(speaks(first));
  assert.ok(!speaks(second));
  harness.advance(1000);
  const blocks = harness.state.size;
  for (let i = 0; i < 10; i++) describe(keysOf(40 + i));
  harness.advance(KEY_OVERLAP + 1000);
  assert.ok(harness.state.size <= blocks, "those before the former ones are gone");
  harness.command({ type: "close", endpoint: 2 });
  harness.command({ type: "close", endpoint: 1 });
  assert.equal(harness.state.size, 0);
});

Deno.test("new keys: another worker goes on under them", () => {
  const { browser, describe, speaks, hears } = rekeyed();
  const second = describe(keysOf(20));
  assert.ok(speaks(second));
  const packet = second.packet({ ssrc: 5, sequence: 99 });
  assert.equal(second.send(packet).length, 1);
  browser.harness = second.harness = browser.harness.successor();
  assert.equal(second.send(packet).length, 0, "seen before");
  assert.ok(speaks(second) && hears(second));
});
