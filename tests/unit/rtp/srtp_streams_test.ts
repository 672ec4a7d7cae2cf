import assert from "node:assert/strict";
import { AES_CM_128_HMAC_SHA1_80, type SrtpKeys } from "../../../src/rtp/contract.ts";
import { Role, StateMemory } from "../../../src/rtp/engine/state_memory.ts";
import { AesCmCipher } from "../../../src/rtp/srtp/aes_cm.ts";
import { SrtpReceiver, SrtpSender } from "../../../src/rtp/srtp/context.ts";
import { FakePhone, headerOf, join } from "../../support/fake_phone.ts";
import { EngineHarness, FakeBrowser, joinedPair } from "../../support/media_engine.ts";

/** More synchronization sources under one key than have a window of their own. */

const KEYS: SrtpKeys = {
  profile: AES_CM_128_HMAC_SHA1_80,
  localKey: new Uint8Array(16).fill(1),
  localSalt: new Uint8Array(14).fill(2),
  remoteKey: new Uint8Array(16).fill(3),
  remoteSalt: new Uint8Array(14).fill(4),
};
/** With a window each; and all that are ever taken under one key. */
const LIVE = 64;
const ALL = LIVE + 960;

const cipher = () => new AesCmCipher(KEYS.remoteKey, KEYS.remoteSalt);

/** A far end that forgets nothing, whatever its SSRCs. */
class Source {
  readonly #senders = new Map<number, SrtpSender>();

  rtp(ssrc: number, sequence: number): Uint8Array {
    const packet = new Uint8Array(60);
    packet.set([0x80, 0, sequence >>> 8, sequence & 255]);
    new DataView(packet.buffer).setUint32(8, ssrc);
    return packet.slice(0, this.#sender(ssrc).protectRtp(packet, 0, 40));
  }

  rtcp(ssrc: number): Uint8Array {
    const packet = new Uint8Array(40);
    packet.set([0x80, 201, 0, 1]);
    new DataView(packet.buffer).setUint32(4, ssrc);
    return packet.slice(0, this.#sender(ssrc).protectRtcp(packet, 0, 8));
  }

  #sender(ssrc: number): SrtpSender {
    let sender = this.#senders.get(ssrc);
    if (sender === undefined) this.#senders.set(ssrc, sender = new SrtpSender(cipher()));
    return sender;
  }
}

/** A receiver, or the one that takes its place, over one memory. */
class Sink {
  readonly #buffer = new SharedArrayBuffer(StateMemory.bytes(200));
  #receiver = this.#open();

  #open(): SrtpReceiver {
    const memory = new StateMemory(this.#buffer);
    return new SrtpReceiver(cipher(), { memory, owner: 1, role: Role.receive, keys: 5 });
  }

  move(): void {
    this.#receiver = this.#open();
  }

  takes(packet: Uint8Array): boolean {
    return this.#receiver.unprotectRtp(packet.slice(), 0, packet.length) === 40;
  }

  takesRtcp(packet: Uint8Array): boolean {
    return this.#receiver.unprotectRtcp(packet.slice(), 0, packet.length) === 8;
  }

  get blocks(): number {
    return new StateMemory(this.#buffer).size;
  }

  close(): void {
    this.#receiver.close();
  }
}

for (const isMoved of [false, true]) {
  const name = isMoved ? ", over adoptions" : "";
  Deno.test(`receiving: hundreds of SSRCs, each packet once, however old its stream${name}`, () => {
    const [source, sink] = [new Source(), new Sink()];
    const sealed: Uint8Array[] = [];
    const reports: Uint8Array[] = [];
    for (let ssrc = 1; ssrc <= 300; ssrc++) {
      if (isMoved && ssrc % 7 === 0) sink.move();
      for (const sequence of [65_534, 65_535, 0, 2]) {
        sealed.push(source.rtp(ssrc, sequence));
        assert.ok(sink.takes(sealed.at(-1)!), `SSRC ${ssrc}`);
      }
      reports.push(source.rtcp(ssrc));
      assert.ok(sink.takesRtcp(reports.at(-1)!));
    }
    if (isMoved) sink.move();
    for (const packet of sealed) assert.ok(!sink.takes(packet), "seen before");
    for (const packet of reports) assert.ok(!sink.takesRtcp(packet), "seen before");
    // The first one again: it goes on behind its newest packet, rollover and all.
    const [late, next, after] = [1, 3, 4].map((sequence) => source.rtp(1, sequence));
    assert.ok(!sink.takes(late!), "nobody knows any more whether it was seen");
    assert.ok(sink.takes(next!));
    assert.ok(sink.takesRtcp(source.rtcp(1)));
    if (isMoved) sink.move();
    assert.ok(!sink.takes(next!));
    assert.ok(sink.takes(after!));
    sink.close();
    assert.equal(sink.blocks, 0);
  });
}

Deno.test("receiving: who is heard stays; the one not heard for longest goes", () => {
  const [source, sink] = [new Source(), new Sink()];
  for (let ssrc = 1; ssrc <= LIVE; ssrc++) assert.ok(sink.takes(source.rtp(ssrc, 10)));
  for (let ssrc = 1000; ssrc < 1200; ssrc++) {
    assert.ok(sink.takes(source.rtp(1, ssrc)));
    assert.ok(sink.takes(source.rtp(ssrc, 1)));
  }
  assert.ok(sink.takes(source.rtp(1, 998)), "late, but within its window");
  assert.ok(!sink.takes(source.rtp(2, 9)), "its window is gone");
});

Deno.test("receiving: forged packets put nobody out", () => {
  const [source, sink] = [new Source(), new Sink()];
  for (let ssrc = 1; ssrc <= LIVE + 20; ssrc++) assert.ok(sink.takes(source.rtp(ssrc, 10)));
  const blocks = sink.blocks;
  for (let ssrc = 1; ssrc < 2000; ssrc++) {
    const forged = new Source().rtp(ssrc, 500);
    forged[30]! ^= 1;
    assert.ok(!sink.takes(forged));
    const report = new Source().rtcp(ssrc);
    report[10]! ^= 1;
    assert.ok(!sink.takesRtcp(report));
  }
  // What comes late finds its window only where the stream was never put out.
  for (let ssrc = 21; ssrc <= LIVE + 20; ssrc++) assert.ok(sink.takes(source.rtp(ssrc, 9)));
  assert.ok(sink.blocks <= blocks + 1);
});

Deno.test("receiving: with more SSRCs than any call has, no further ones; the others go on", () => {
  const [source, sink] = [new Source(), new Sink()];
  for (let ssrc = 1; ssrc <= ALL; ssrc++) assert.ok(sink.takes(source.rtp(ssrc, 1)), `${ssrc}`);
  assert.ok(!sink.takes(source.rtp(ALL + 1, 1)));
  for (const ssrc of [1, 77, ALL]) {
    assert.ok(!sink.takes(source.rtp(ssrc, 1)));
    assert.ok(sink.takes(source.rtp(ssrc, 2)));
  }
});

Deno.test("sending: hundreds of SSRCs, no index twice, reports too", () => {
  const buffer = new SharedArrayBuffer(StateMemory.bytes(200));
  const open = () => {
    const memory = new StateMemory(buffer);
    return new SrtpSender(cipher(), { memory, owner: 1, role: Role.send, keys: 5 });
  };
  let sender = open();
  const seal = (ssrc: number, sequence: number) => {
    const packet = new Uint8Array(60);
    packet.set([0x80, 0, sequence >>> 8, sequence & 255]);
    new DataView(packet.buffer).setUint32(8, ssrc);
    const length = sender.protectRtp(packet, 0, 40);
    return length < 0 ? null : packet.slice(0, length);
  };
  let index = 0;
  for (let ssrc = 1; ssrc <= 300; ssrc++) {
    if (ssrc % 50 === 0) sender = open();
    for (const sequence of [65_535, 0]) assert.notEqual(seal(ssrc, sequence), null);
    const report = new Uint8Array(40);
    report.set([0x80, 201, 0, 1, 0, 0, 0, 1]);
    const length = sender.protectRtcp(report, 0, 8);
    const drawn = new DataView(report.buffer).getUint32(length - 14) & 0x7fffffff;
    assert.ok(drawn > index, `SRTCP index ${drawn} after ${index}`);
    index = drawn;
  }
  for (let ssrc = 1; ssrc <= 300; ssrc++) {
    assert.equal(seal(ssrc, 0), null, `SSRC ${ssrc}: the index was used`);
    const [packet, length] = [seal(ssrc, 1)!, 50];
    assert.equal(cipher().openRtp(packet, 0, 12, length, 1), 40, "after one rollover");
  }
});

Deno.test("a phone with SDES that draws a new SSRC again and again is heard, and hears", () => {
  const harness = new EngineHarness();
  const [browser, phone] = [new FakeBrowser(harness, 1), new FakePhone(harness, 2, { keys: KEYS })];
  browser.up();
  phone.up();
  join(harness, 1, 2);
  for (let ssrc = 1; ssrc <= 200; ssrc++) {
    harness.advance(1000);
    const sent = phone.send(phone.packet({ ssrc, sequence: 7 }));
    const [plain] = browser.plain(sent.filter(({ port }) => port === browser.port));
    assert.equal(headerOf(plain!).ssrc, 1, `SSRC ${ssrc} is the same stream for the browser`);
    const back = browser.send(browser.rtp({ ssrc: 5000 + ssrc, sequence: 3 }));
    assert.equal(phone.plain(back).length, 1);
    browser.check();
  }
  const { statistics } = harness.of("statistics").flatMap(({ endpoints }) => endpoints)
    .findLast(({ endpoint }) => endpoint === 2)!;
  assert.ok(statistics.receivePackets >= 199);
});

Deno.test("a browser that draws a new SSRC again and again is heard by the other, and counted", () => {
  const harness = new EngineHarness();
  const [a, b] = joinedPair(harness);
  for (let ssrc = 1; ssrc <= 200; ssrc++) {
    const [plain] = b.plain(a.send(a.rtp({ ssrc, sequence: 7 })));
    assert.equal(headerOf(plain!).ssrc, ssrc);
    a.send(a.rtp({ ssrc, sequence: 9 }));
  }
  harness.advance(1000);
  const { statistics } = harness.of("statistics").flatMap(({ endpoints }) => endpoints)
    .find(({ endpoint }) => endpoint === a.id)!;
  assert.ok(statistics.receiveLost >= 190, `${statistics.receiveLost} lost of 200`);
});
