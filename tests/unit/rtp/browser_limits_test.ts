import assert from "node:assert/strict";
import { join } from "../../support/fake_phone.ts";
import { EngineHarness, FakeBrowser } from "../../support/media_engine.ts";

/** What one browser may send in a tenth of a second; several times what cameras do. */
const PACKETS = 600;

Deno.test("a browser that floods is cut down, the others are not, and it is heard again after", () => {
  const harness = new EngineHarness();
  const [loud, other] = [new FakeBrowser(harness, 1), new FakeBrowser(harness, 2)];
  for (const browser of [loud, other]) browser.up();
  join(harness, 1, 2);
  const [, , third, fourth] = [1, 2, 3, 4].map((id) => new FakeBrowser(harness, id));
  for (const browser of [third!, fourth!]) browser.up();
  join(harness, 3, 4);
  let passed = 0;
  for (let i = 0; i < 2 * PACKETS; i++) {
    passed += other.plain(loud.send(loud.rtp({ ssrc: 10, sequence: i }))).length;
  }
  assert.equal(passed, PACKETS);
  assert.equal(fourth!.plain(third!.send(third!.rtp({ ssrc: 30, sequence: 1 }))).length, 1);
  assert.equal(loud.plain(other.send(other.rtp({ ssrc: 20, sequence: 1 }))).length, 1);
  harness.advance(100);
  assert.equal(other.plain(loud.send(loud.rtp({ ssrc: 10, sequence: 3000 }))).length, 1);
  harness.advance(1000);
  const [statistics] = harness.of("statistics").at(-1)!.endpoints
    .filter(({ endpoint }) => endpoint === 1);
  assert.equal(statistics!.statistics.dropped, PACKETS);
});
