import assert from "node:assert/strict";
import { FakePhone, isRtcp, join } from "../../support/fake_phone.ts";
import { type Datagram, EngineHarness, FakeBrowser } from "../../support/media_engine.ts";

/** A fault of ours about one endpoint is not the others', and keeps nobody busy. */

/** Whatever is sent to this address throws. */
class FaultyHarness extends EngineHarness {
  faulty = -1;
  faults = 0;
  rounds = 0;

  override send(
    socket: number,
    address: number,
    port: number,
    offset: number,
    length: number,
  ): void {
    if (address === this.faulty) throw new Error("faulty");
    super.send(socket, address, port, offset, length);
  }

  /** As a shell has it: a fault is contained, and the engine woken when it says. */
  override advance(ms: number): Datagram[] {
    this.sent = [];
    const end = this.now + ms;
    for (;;) {
      const at = this.engine.nextWake;
      if (at > end) break;
      this.now = Math.max(this.now, at);
      this.rounds++;
      try {
        this.engine.wake(this.now);
      } catch {
        this.faults++;
      }
      assert.ok(this.engine.nextWake > this.now, `due again at ${this.now}`);
    }
    this.now = end;
    return this.sent;
  }
}

function phones(count: number): { harness: FaultyHarness; all: FakePhone[] } {
  const harness = new FaultyHarness();
  const all = Array.from({ length: count }, (_, i) => new FakePhone(harness, 1 + i));
  for (const phone of all) phone.up();
  return { harness, all };
}

Deno.test("a tick that fails costs its endpoint, not those behind it", () => {
  const { harness, all } = phones(6);
  for (const phone of all) phone.send(phone.packet({ ssrc: 5, sequence: 1 }));
  harness.faulty = all[1]!.address;
  const rounds = Array.from({ length: 12 }, () => harness.advance(1000));
  assert.ok(harness.faults > 0);
  const timesOf = (phone: FakePhone, isReport: boolean) =>
    rounds.map((sent) =>
      sent.filter((one) => one.address === phone.address && isRtcp(one) === isReport).length
    );
  for (const phone of all) {
    const heard = [timesOf(phone, false), timesOf(phone, true)].map((times) => times.join(""));
    const nothing = "0".repeat(12);
    // Silence and reports, each five seconds.
    const all5 = ["000001000010", "000010000100"];
    assert.deepEqual(heard, phone === all[1] ? [nothing, nothing] : all5, `phone ${phone.id}`);
  }
  const told = new Set(
    harness.of("statistics").flatMap(({ endpoints }) => endpoints.map(({ endpoint }) => endpoint)),
  );
  for (const { id } of all) assert.ok(told.has(id), `statistics of ${id}`);
});

Deno.test("digits that cannot be sent: the others' are, and ports are given back", () => {
  const { harness, all } = phones(4);
  harness.faulty = all[0]!.address;
  for (const { id: endpoint } of all) {
    try {
      harness.command({ type: "send-dtmf", endpoint, digits: "12", durationMs: 100 });
    } catch {
      assert.equal(endpoint, all[0]!.id);
    }
  }
  harness.command({ type: "close", endpoint: all[3]!.id });
  const sent = harness.advance(3000);
  assert.ok(harness.faults > 0 && harness.rounds < 200, `${harness.rounds} rounds`);
  for (const phone of all.slice(1, 3)) {
    const events = sent.filter((one) => one.address === phone.address && !isRtcp(one));
    assert.ok(events.length >= 14, `${events.length} packets of two digits`);
  }
  assert.equal(harness.engine.size.drained, 0);
  assert.ok(!all[3]!.sockets.some((socket) => harness.openSockets.has(socket)));
});

Deno.test("a key frame that cannot be asked for: the others' are", () => {
  const harness = new FaultyHarness();
  const browsers = [1, 2, 3, 4].map((id) => new FakeBrowser(harness, id));
  for (const browser of browsers) browser.up();
  join(harness, 1, 2);
  join(harness, 3, 4);
  harness.now = 5000;
  for (const browser of browsers) {
    browser.send(browser.rtp({ ssrc: browser.id, sequence: 1, payloadType: 96 }));
  }
  const ask = () => {
    for (const { id: endpoint } of browsers) harness.command({ type: "key-frame", endpoint });
  };
  ask();
  ask();
  harness.faulty = browsers[0]!.address;
  const asked = harness.advance(600).filter(isRtcp).map(({ address }) => address);
  assert.deepEqual(asked, browsers.slice(1).map(({ address }) => address));
});

Deno.test("a leg that cannot say goodbye is closed all the same", () => {
  const { harness, all } = phones(2);
  const [a] = all as [FakePhone];
  join(harness, 1, 2);
  all[1]!.send(all[1]!.packet({ ssrc: 5, sequence: 1 }));
  harness.faulty = a.address;
  assert.throws(() => harness.command({ type: "close", endpoint: 1 }), /faulty/);
  harness.command({ type: "close", endpoint: 2 });
  harness.advance(5000);
  assert.deepEqual(harness.engine.size, { endpoints: 0, places: 0, drained: 0 });
  assert.equal(harness.state.size, 0);
  assert.deepEqual([...harness.openSockets], [0]);
});
