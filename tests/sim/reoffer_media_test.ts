import assert from "node:assert/strict";
import { EdgeWorld } from "./edge_world.ts";

/** A phone that wants more media in a call than it began with: a browser can't renegotiate. */

const CODECS = [[0, "PCMU/8000"], [101, "telephone-event/8000"]] as const;
const VIDEO = ["m=video 5000 RTP/AVP 97", "a=rtpmap:97 VP8/90000", "a=sendrecv", ""].join("\r\n");

/** A phone that answers at once, and Alice. */
function stage(more: { readonly allow?: string } = {}) {
  const house = new EdgeWorld({ seed: 1, accounts: ["1000"] });
  const desk = house.phone({
    user: "1000",
    transport: "UDP",
    address: "192.0.2.10",
    codecs: CODECS,
    ...more,
  });
  desk.onIncoming = (call) => desk.answer(call);
  const alice = house.client("alice").connect();
  house.clock.advance(1_000);
  return { house, desk, alice };
}

Deno.test("a section that a phone adds is answered with port 0, and the rest goes on", () => {
  for (const phoneCalls of [false, true]) {
    for (const video of [false, true]) {
      if (phoneCalls && video) continue;
      const { house, desk, alice } = stage();
      alice.onIncoming = (call) => alice.answer(call);
      const placed = phoneCalls ? desk.call("alice") : undefined;
      const dialled = phoneCalls ? undefined : alice.call("1000", { video });
      house.clock.advance(1_000);
      const call = placed ?? desk.live[0]!;
      const out = dialled ?? [...alice.calls.values()][0]!;
      const [rtp] = house.rtp.live.values();
      const before = rtp!.remote[0]?.payloads;
      const said: string[] = [];
      const ask = (body: string) =>
        desk.reoffer(
          call,
          body,
          ({ status, body }) => said.push(`${status}\n${new TextDecoder().decode(body)}`),
        );
      ask(desk.describe() + VIDEO);
      house.clock.advance(1_000);
      const lines = said[0]!.split("\r\n").filter((line) => /^(\d{3}\n|m=)/.test(line));
      assert.match(lines[0]!, /^200/);
      assert.match(lines[1]!, /^m=audio [1-9]\d+ RTP\/AVP 0( 101)?$/);
      assert.match(lines[2]!, /^m=video 0 RTP\/AVP/);
      assert.equal(out.status, "talking");
      assert.deepEqual(rtp!.remote[0]?.payloads, before);
      // Held with the same sections, and taken back.
      ask((desk.describe() + VIDEO).replace("a=sendrecv", "a=sendonly"));
      house.clock.advance(1_000);
      assert.equal(house.plane.control.call(out.id)?.hold.remote, true);
      ask(desk.describe() + VIDEO);
      house.clock.advance(1_000);
      assert.equal(house.plane.control.call(out.id)?.hold.remote, false);
      assert.deepEqual(said.map((text) => text.slice(0, 3)), ["200", "200", "200"]);
      // And the browser's own hold says the same sections.
      alice.hold(out, true);
      house.clock.advance(1_000);
      assert.equal(out.status, "held");
      assert.deepEqual(house.finish(), []);
    }
  }
});

Deno.test("a re-offer of which nothing fits is refused, and the call goes on", () => {
  const { house, desk, alice } = stage();
  const out = alice.call("1000");
  house.clock.advance(1_000);
  const statuses: number[] = [];
  const body = desk.describe().replace("RTP/AVP 0 101", "RTP/AVP 18").replace(
    /a=rtpmap.*\r\n/g,
    "",
  );
  desk.reoffer(desk.live[0]!, body, ({ status }) => statuses.push(status));
  house.clock.advance(1_000);
  assert.deepEqual(statuses, [488]);
  assert.deepEqual([out.status, desk.live[0]?.state], ["talking", "talking"]);
  assert.deepEqual(house.finish(), []);
});

Deno.test("a refresh does not offer again what the phone has refused", () => {
  const { house, desk, alice } = stage({ allow: "INVITE, BYE" });
  alice.call("1000", { video: true });
  house.clock.advance(1_000);
  const [call] = desk.live;
  assert.match(call!.remoteText, /^m=video [1-9]/m);
  house.clock.advance(900_000);
  assert.equal(desk.reoffers, 1);
  assert.match(call!.remoteText, /^m=video 0 /m);
  assert.deepEqual(house.finish(), []);
});
