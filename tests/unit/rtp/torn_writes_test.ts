import assert from "node:assert/strict";
import { AES_CM_128_HMAC_SHA1_80, type SrtpKeys } from "../../../src/rtp/contract.ts";
import { Role } from "../../../src/rtp/engine/state_memory.ts";
import { FakePhone, join } from "../../support/fake_phone.ts";
import { EngineHarness, FakeBrowser, PAYLOADS } from "../../support/media_engine.ts";
import { WatchedState } from "../../support/watched_state.ts";

/** A worker may end between any two writes: what was half done then must be seen as such. */

function keysOf(fill: number): SrtpKeys {
  return {
    profile: AES_CM_128_HMAC_SHA1_80,
    localKey: new Uint8Array(16).fill(fill),
    localSalt: new Uint8Array(14).fill(fill + 1),
    remoteKey: new Uint8Array(16).fill(fill + 2),
    remoteSalt: new Uint8Array(14).fill(fill + 3),
  };
}

function stage() {
  const state = new WatchedState(600);
  const harness = new EngineHarness(30_000, state);
  const fine = (what: string) => {
    const unmarked = [...state.unmarked].map(([where, by]) => `${where} ${by}`);
    assert.deepEqual(unmarked, [], `${what}: written to without a mark`);
    assert.equal(state.busy, 0, `${what}: a mark is left`);
  };
  return { state, harness, fine };
}

Deno.test("no word of a block is written without a mark, and no mark is left: phone and browser", () => {
  const { state, harness, fine } = stage();
  const browser = new FakeBrowser(harness, 1);
  const options = { video: true, hasFeedback: true, wantsFir: true };
  const phone = new FakePhone(harness, 2, { ...options, keys: keysOf(10) });
  browser.up();
  phone.up();
  harness.command({ type: "set-remote", endpoint: 1, payloads: PAYLOADS, transportWideId: 5 });
  join(harness, 1, 2);
  fine("set up");
  harness.command({ type: "send-dtmf", endpoint: 2, digits: "1", durationMs: 100 });
  fine("a stream of our own");
  for (let i = 0; i < 90; i++) {
    phone.send(phone.packet({ ssrc: i, sequence: 65_500 + i & 0xffff }));
    phone.sendRtcp(Uint8Array.of(0x80, 201, 0, 1, 0, 0, 0, i));
    phone.send(phone.packet({ ssrc: 500, sequence: 7 * i, payloadType: 99 }), "video");
    browser.send(browser.rtp({ ssrc: 9, sequence: i, transportWide: i }));
    browser.send(browser.rtp({ ssrc: 10, sequence: i * 4000 & 0xffff, payloadType: 96 }));
    harness.advance(20);
  }
  const report = new Uint8Array(28);
  report.set([0x80, 200, 0, 6, 0, 0, 0, 9]);
  browser.send(browser.rtcp(report));
  fine("packets");
  harness.advance(6000);
  phone.port += 1000;
  phone.send(phone.packet({ ssrc: 5, sequence: 400 }));
  browser.check();
  fine("reports, and another place");
  harness.command({ type: "set-flowing", endpoint: 2, flowing: false });
  harness.advance(11_000);
  harness.command({ type: "set-flowing", endpoint: 2, flowing: true });
  harness.command({ type: "send-dtmf", endpoint: 2, digits: "12", durationMs: 100 });
  harness.advance(1000);
  browser.send(browser.rtp({ ssrc: 9, sequence: 95 }));
  harness.command({ type: "key-frame", endpoint: 2 });
  fine("hold and digits");
  harness.command({ type: "ice-restart", endpoint: 1, iceUfrag: "new1", icePwd: browser.pwd });
  browser.check({ ufrag: "new1" });
  const again = new FakePhone(harness, 2, { ...options, keys: keysOf(20) });
  again.sockets = phone.sockets;
  again.describe();
  again.send(again.packet({ ssrc: 5, sequence: 401 }));
  fine("new keys");
  for (const endpoint of [1, 2]) harness.command({ type: "close", endpoint });
  fine("the end");
  assert.equal(state.size, 0);
  const { endpoint, out, receiveStatistics, section, receive, send } = Role;
  for (const role of [endpoint, out, receiveStatistics, section, receive, send]) {
    assert.ok((state.writes.get(role) ?? 0) > 10, `role ${role} was looked at`);
  }
});

Deno.test("no word of a block is written without a mark, and no mark is left: another worker", () => {
  const { harness } = stage();
  const browser = new FakeBrowser(harness, 1);
  const phone = new FakePhone(harness, 2, { keys: keysOf(10) });
  browser.up();
  phone.up();
  join(harness, 1, 2);
  for (let i = 0; i < 90; i++) {
    phone.send(phone.packet({ ssrc: i, sequence: i }));
    harness.advance(20);
  }
  const buffer = harness.state.words.buffer as SharedArrayBuffer;
  const state = new WatchedState(0, buffer);
  const next = harness.successor(state);
  phone.harness = next;
  assert.equal(phone.send(phone.packet({ ssrc: 0, sequence: 200 })).length, 1);
  assert.equal(phone.send(phone.packet({ ssrc: 95, sequence: 1 })).length, 1);
  next.advance(1000);
  assert.deepEqual([...state.unmarked], []);
  assert.equal(state.busy, 0);
  assert.ok(state.writes.get(Role.receive)! > 100);
});

Deno.test("no word of a block is written without a mark, and no mark is left: a transfer", () => {
  const { harness, fine } = stage();
  const [a, b, c] = [1, 2, 3].map((id) => new FakeBrowser(harness, id)) as [
    FakeBrowser,
    FakeBrowser,
    FakeBrowser,
  ];
  for (const browser of [a, b, c]) {
    browser.up();
    const { id: endpoint } = browser;
    harness.command({ type: "set-remote", endpoint, payloads: PAYLOADS, transportWideId: 5 });
  }
  let sequence = 100;
  const talk = (from: FakeBrowser) => {
    for (let i = 0; i < 5; i++) {
      sequence += 7;
      from.send(from.rtp({ ssrc: 10 * from.id, sequence, transportWide: sequence }));
      const [ssrc, video] = [10 * from.id + 1, { payloadType: 96, transportWide: sequence }];
      from.send(from.rtp({ ssrc, sequence, ...video }));
    }
    harness.advance(300);
  };
  for (const peer of [2, 3, 2, 3]) {
    join(harness, 1, peer);
    talk(peer === 2 ? b : c);
    talk(a);
    fine(`joined with ${peer}`);
  }
  harness.command({ type: "close", endpoint: 3 });
  harness.advance(2000);
  fine("the end");
});
