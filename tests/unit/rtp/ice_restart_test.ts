import assert from "node:assert/strict";
import { HmacSha1 } from "../../../src/rtp/srtp/hmac_sha1.ts";
import { BINDING_SUCCESS } from "../../../src/rtp/ice/stun.ts";
import { join } from "../../support/fake_phone.ts";
import { EngineHarness, FakeBrowser } from "../../support/media_engine.ts";

const NEW = { ufrag: "another1", pwd: "another-password-of-endpoint-1" };
const KEY = new HmacSha1(new TextEncoder().encode(NEW.pwd));

function restarted() {
  const harness = new EngineHarness();
  const browser = new FakeBrowser(harness, 1);
  const other = new FakeBrowser(harness, 2);
  browser.up();
  other.up();
  join(harness, 1, 2);
  harness.command({
    type: "ice-restart",
    endpoint: 1,
    iceUfrag: NEW.ufrag,
    icePwd: NEW.pwd,
  });
  let sequence = 10;
  const passes = () => {
    const [packet] = other.plain(browser.send(browser.rtp({ ssrc: 10, sequence: sequence++ })));
    return packet !== undefined;
  };
  return { harness, browser, other, passes };
}

Deno.test("ICE restart: media and the old credentials go on until the new ones have nominated", () => {
  const { harness, browser, passes } = restarted();
  assert.ok(passes());
  assert.equal(browser.check(), BINDING_SUCCESS, "consent by the old ones");
  assert.equal(browser.check({ ufrag: NEW.ufrag }), undefined, "the old password opens nothing");
  const fresh = { ufrag: NEW.ufrag, key: KEY };
  assert.equal(browser.check({ ...fresh, nominate: false }), BINDING_SUCCESS);
  assert.equal(browser.check(), BINDING_SUCCESS, "not nominated yet");
  assert.equal(browser.check(fresh), BINDING_SUCCESS);
  assert.equal(browser.check(), undefined, "the old ones are over");
  assert.ok(passes());
  const states = harness.of("ice").filter(({ endpoint }) => endpoint === 1);
  assert.deepEqual(states.map(({ state }) => state), ["connected"], "nobody noticed anything");
});

Deno.test("ICE restart: consent is asked of the new credentials too, and runs out", () => {
  const { harness, browser, passes } = restarted();
  browser.check({ ufrag: NEW.ufrag, key: KEY });
  harness.advance(29_000);
  assert.ok(passes());
  harness.advance(3_000);
  assert.equal(passes(), false);
  assert.equal(harness.of("ice").at(-1)!.state, "disconnected");
});

Deno.test("ICE restart: the browser may come from another place; a second one ends the first", () => {
  const { harness, browser, other, passes } = restarted();
  const fresh = browser.request({ ufrag: NEW.ufrag, key: KEY });
  const [answer] = harness.receive(0, 0x0a000077, 60_001, fresh);
  assert.deepEqual([answer!.address, answer!.port], [0x0a000077, 60_001]);
  const [sent] = other.send(other.rtp({ ssrc: 20, sequence: 1 }));
  assert.deepEqual([sent!.address, sent!.port], [0x0a000077, 60_001]);
  for (const ufrag of ["second11", "third111"]) {
    harness.command({ type: "ice-restart", endpoint: 1, iceUfrag: ufrag, icePwd: NEW.pwd });
  }
  assert.equal(browser.check({ ufrag: NEW.ufrag, key: KEY }), undefined);
  assert.equal(browser.check({ ufrag: "second11", key: KEY }), BINDING_SUCCESS);
  assert.equal(browser.check({ ufrag: "third111", key: KEY }), BINDING_SUCCESS);
  assert.ok(passes());
  harness.command({ type: "close", endpoint: 1 });
  for (const ufrag of ["second11", "third111"]) {
    assert.equal(browser.check({ ufrag, key: KEY }), undefined);
  }
});

Deno.test("ICE restart: another worker answers as the one before did, before and after", () => {
  const { harness, browser } = restarted();
  const fresh = { ufrag: NEW.ufrag, key: KEY };
  browser.harness = harness.successor();
  assert.equal(browser.check(), BINDING_SUCCESS, "the old ones, which the browser still has");
  assert.equal(browser.check({ ...fresh, nominate: false }), BINDING_SUCCESS);
  browser.harness = browser.harness.successor();
  assert.equal(browser.check(), BINDING_SUCCESS, "not nominated yet");
  assert.equal(browser.check(fresh), BINDING_SUCCESS);
  browser.harness = browser.harness.successor();
  assert.equal(browser.check(), undefined, "the old ones are over");
  assert.equal(browser.check(fresh), BINDING_SUCCESS);
  const again = { ufrag: "thirdone", pwd: "third-password-of-endpoint-1" };
  browser.harness.command({
    type: "ice-restart",
    endpoint: 1,
    iceUfrag: again.ufrag,
    icePwd: again.pwd,
  });
  assert.equal(browser.check(fresh), BINDING_SUCCESS, "the next restart is one like the first");
});
