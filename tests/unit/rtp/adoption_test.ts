import assert from "node:assert/strict";
import fc from "../../support/dice.ts";
import { AES_CM_128_HMAC_SHA1_80, type SrtpKeys } from "../../../src/rtp/contract.ts";
import { REPORT_INTERVAL } from "../../../src/rtp/engine/own_reports.ts";
import { Role, StateMemory } from "../../../src/rtp/engine/state_memory.ts";
import { AesCmCipher } from "../../../src/rtp/srtp/aes_cm.ts";
import { contextPlace, SrtpReceiver, SrtpSender } from "../../../src/rtp/srtp/context.ts";
import { FakePhone, headerOf, isRtcp, join } from "../../support/fake_phone.ts";
import { EngineHarness, FakeBrowser, joinedPair } from "../../support/media_engine.ts";

/** One engine takes the place of another: what the far ends see of it is nothing. */

const KEYS: SrtpKeys = {
  profile: AES_CM_128_HMAC_SHA1_80,
  localKey: new Uint8Array(16).fill(1),
  localSalt: new Uint8Array(14).fill(2),
  remoteKey: new Uint8Array(16).fill(3),
  remoteSalt: new Uint8Array(14).fill(4),
};

function move(to: EngineHarness, ...sides: { harness: EngineHarness }[]): EngineHarness {
  for (const side of sides) side.harness = to;
  return to;
}

Deno.test("browsers: over a rollover, each packet once, without a new check", () => {
  let harness = new EngineHarness();
  const [a, b] = joinedPair(harness);
  const sealed: Uint8Array[] = [];
  for (let i = 0; i < 400; i++) {
    if (i % 37 === 0) {
      harness = move(harness.successor(), a, b);
      for (const old of sealed.slice(-30)) assert.deepEqual(a.send(old), [], "seen before");
    }
    const packet = a.rtp({ ssrc: 9, sequence: (65_400 + i) & 0xffff });
    sealed.push(packet);
    // The far end refuses an index that comes twice, and so does the harness.
    assert.equal(b.plain(a.send(packet)).length, 1, `packet ${i}`);
    assert.equal(a.plain(b.send(b.rtp({ ssrc: 8, sequence: (65_500 + i) & 0xffff }))).length, 1);
  }
  assert.deepEqual(harness.of("ice"), [], "nothing has changed");
  assert.deepEqual(harness.of("media"), []);
});

Deno.test("counters go on, consent begins anew, a closed endpoint leaves nothing behind", () => {
  let harness = new EngineHarness();
  const [a, b] = joinedPair(harness);
  for (let i = 0; i < 20; i++) a.send(a.rtp({ ssrc: 9, sequence: i }));
  harness.advance(25_000);
  harness = move(harness.successor(), a, b);
  assert.equal(harness.of("torn").length, 0);
  a.send(a.rtp({ ssrc: 9, sequence: 20 }));
  harness.advance(6_000);
  assert.deepEqual(harness.of("ice"), [], "31 s after the last check, 6 s after the change");
  const { statistics } = harness.of("statistics").flatMap(({ endpoints }) => endpoints)
    .findLast(({ endpoint }) => endpoint === a.id)!;
  assert.equal(statistics.receivePackets, 21);
  harness.advance(30_000);
  assert.equal(harness.of("ice").at(-1)?.state, "disconnected");
  for (const { id } of [a, b]) harness.command({ type: "close", endpoint: id });
  assert.equal(harness.state.size, 0);
});

Deno.test("what an engine was closing when it ended is swept by the next one", () => {
  const harness = new EngineHarness();
  const [a] = joinedPair(harness);
  a.send(a.rtp({ ssrc: 9, sequence: 1 }));
  const next = new EngineHarness(30_000, harness.state.words.buffer);
  assert.ok(next.state.size > 0);
  next.command({ type: "adopt" });
  assert.equal(next.state.size, 0);
  assert.equal(next.of("adopted").length, 1);
});

Deno.test("a phone behind a NAT: its place, its stream and its reports go on", () => {
  let harness = new EngineHarness();
  const [browser, phone] = [new FakeBrowser(harness, 1), new FakePhone(harness, 2, { keys: KEYS })];
  browser.up();
  phone.up();
  join(harness, 1, 2);
  // Not where the description says.
  phone.port += 1000;
  assert.equal(browser.plain(phone.send(phone.packet({ ssrc: 5, sequence: 1 }))).length, 1);
  const heard: number[] = [];
  for (let i = 0; i < 200; i++) {
    if (i % 20 === 10) harness = move(harness.successor(), browser, phone);
    // Another source from the middle on: the phone must not notice.
    const [ssrc, first] = i < 100 ? [9, 65_500] : [10, 300];
    const sent = browser.send(browser.rtp({ ssrc, sequence: (first + i) & 0xffff }));
    assert.ok(sent.every(({ port }) => port === phone.port));
    const [packet] = phone.plain(sent);
    assert.equal(headerOf(packet!).ssrc, 9);
    heard.push(headerOf(packet!).sequence);
    const [back] = browser.plain(phone.send(phone.packet({ ssrc: 5, sequence: 2 + i })));
    assert.deepEqual([headerOf(back!).ssrc, headerOf(back!).sequence], [5, 2 + i]);
    // Reports of our own under the same keys: none may repeat an index of SRTCP.
    phone.plain(harness.advance(REPORT_INTERVAL / 4).filter(isRtcp));
  }
  assert.deepEqual(heard, heard.map((_, i) => (65_500 + i) & 0xffff));
  assert.equal(harness.of("latched").length, 0);
});

Deno.test("after an adoption the window for learning a phone's address is not open again", () => {
  const harness = new EngineHarness();
  const [a, b] = [new FakePhone(harness, 1), new FakePhone(harness, 2)];
  for (const phone of [a, b]) phone.up();
  join(harness, 1, 2);
  a.send(a.packet({ ssrc: 5, sequence: 1 }));
  harness.advance(11_000);
  a.send(a.packet({ ssrc: 5, sequence: 2 }));
  const next = move(harness.successor(), a, b);
  next.advance(1000);
  const thief = new FakePhone(next, 7);
  thief.sockets = a.sockets;
  assert.deepEqual(thief.send(thief.packet({ ssrc: 6, sequence: 1 })), []);
  assert.equal(a.send(a.packet({ ssrc: 5, sequence: 3 })).length, 1);
});

Deno.test("an endpoint whose record is torn is not opened, and says so; the others are", () => {
  const harness = new EngineHarness();
  const [a, b] = joinedPair(harness);
  const [c, d] = [new FakeBrowser(harness, 11), new FakeBrowser(harness, 12)];
  for (const browser of [c, d]) browser.up();
  join(harness, 11, 12);
  harness.state.tear(b.id);
  const next = move(harness.successor(), a, b, c, d);
  assert.deepEqual(next.of("torn").map(({ endpoint }) => endpoint), [b.id]);
  assert.equal(next.engine.size.endpoints, 3);
  assert.deepEqual(a.send(a.rtp({ ssrc: 9, sequence: 1 })), []);
  assert.equal(d.plain(c.send(c.rtp({ ssrc: 9, sequence: 1 }))).length, 1);
});

Deno.test("new keys under an old name begin anew", () => {
  const state = StateMemory.own(8);
  const place = (key: number) =>
    contextPlace({ memory: state, owner: 1 }, Role.send, Uint8Array.of(key), Uint8Array.of(9));
  const cipher = new AesCmCipher(KEYS.localKey, KEYS.localSalt);
  const packet = () => {
    const bytes = new Uint8Array(60);
    bytes.set([0x80, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1]);
    return bytes;
  };
  assert.equal(new SrtpSender(cipher, place(1)).protectRtp(packet(), 0, 40), 50);
  const buffer = state.words.buffer;
  const next = new StateMemory(buffer);
  const of = (key: number) => new SrtpSender(cipher, { ...place(key), memory: next });
  assert.equal(of(1).protectRtp(packet(), 0, 40), -1, "the index was used");
  const after = new StateMemory(buffer);
  const other = new SrtpSender(cipher, { ...place(2), memory: after });
  assert.equal(other.protectRtp(packet(), 0, 40), 50);
});

Deno.test("SRTP contexts handed on at any moment: nothing twice, nothing lost", () => {
  const cipher = () => new AesCmCipher(KEYS.localKey, KEYS.localSalt);
  fc.assert(
    fc.property(
      fc.integer({ min: 65_300, max: 65_530 }),
      fc.array(fc.nat(3), { minLength: 50, maxLength: 300 }),
      (first, steps) => {
        const buffer = new SharedArrayBuffer(StateMemory.bytes(8));
        let memory = new StateMemory(buffer);
        const place = (role: number) => ({ memory, owner: 1, role, keys: 0 });
        let sender = new SrtpSender(cipher(), place(Role.send));
        let receiver = new SrtpReceiver(cipher(), place(Role.receive));
        const indices = new Set<number>();
        for (const [i, step] of steps.entries()) {
          if (step === 0) {
            memory = new StateMemory(buffer);
            sender = new SrtpSender(cipher(), place(Role.send));
            receiver = new SrtpReceiver(cipher(), place(Role.receive));
          }
          const sequence = (first + i) & 0xffff;
          const packet = new Uint8Array(60);
          packet.set([0x80, 0, sequence >>> 8, sequence & 255, 0, 0, 0, 0, 0, 0, 0, 1]);
          const again = packet.slice();
          const size = sender.protectRtp(packet, 0, 40);
          assert.equal(size, 50);
          assert.equal(sender.protectRtp(again, 0, 40), -1, "an index is used once");
          const copy = packet.slice();
          assert.equal(receiver.unprotectRtp(packet, 0, size), 40, `packet ${i}`);
          assert.equal(receiver.unprotectRtp(copy, 0, size), -1, "taken once");
          const report = new Uint8Array(60);
          report.set([0x81, 201, 0, 1, 0, 0, 0, 1]);
          const length = sender.protectRtcp(report, 0, 8);
          const index = new DataView(report.buffer).getUint32(length - 14) & 0x7fffffff;
          assert.ok(!indices.has(index), `SRTCP index ${index}`);
          indices.add(index);
          assert.equal(receiver.unprotectRtcp(report, 0, length), 8);
        }
      },
    ),
    { numRuns: 60 },
  );
});
