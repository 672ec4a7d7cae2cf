import assert from "node:assert/strict";
import { matching } from "../../../web/console/list_tools.tsx";
import { hashOf, placeOf, VIEWS } from "../../../web/console/views.ts";
import {
  awayWords,
  holdWords,
  mediaWayWords,
  otherOf,
  outsideWords,
  ownerOf,
  transcodingWords,
  trunkStateWords,
  workerWords,
} from "../../../web/console/words.ts";
import type { CallSummary, MediaWorkerView, TrunkView } from "../../../src/actors/control_plane.ts";
import { spanOf } from "../../../web/shared/format.ts";

Deno.test("a place is read from the address as it was written; nonsense leads to the calls", () => {
  for (const { id: view } of VIEWS) {
    for (const call of [null, "c 1&view=phones", "#"]) {
      assert.deepEqual(placeOf(hashOf({ view, call })), { view, call });
    }
  }
  assert.equal(hashOf({ view: "calls", call: null }), "");
  assert.deepEqual(placeOf("#call=1"), { view: "calls", call: "1" });
  assert.deepEqual(placeOf("#view=constructor"), { view: "calls", call: null });
});

Deno.test("a filter finds rows that have all its words, in any order and case", () => {
  const rows = ["alice Connected Chrome", "bob Connected Firefox", "Carol Away"];
  const find = (query: string) => matching(rows, query, (row) => row).map((row) => row[0]);
  assert.deepEqual(find(""), ["a", "b", "C"]);
  assert.deepEqual(find("  "), ["a", "b", "C"]);
  assert.deepEqual(find("conn"), ["a", "b"]);
  assert.deepEqual(find("FIREFOX bob"), ["b"]);
  assert.deepEqual(find("carol connected"), []);
});

Deno.test("hold is told with names, whoever holds", () => {
  const of = (local: boolean, remote: boolean) => holdWords({ local, remote }, "alice", "bob");
  assert.equal(of(false, false), "");
  assert.equal(of(true, false), "alice holds bob");
  assert.equal(of(false, true), "bob holds alice");
  assert.equal(of(true, true), "alice and bob hold each other");
});

Deno.test("owner and other of a call, whichever side tells it", () => {
  const of = (direction: CallSummary["direction"]) => {
    const call = { direction, caller: "alice", callee: "bob" } as CallSummary;
    return [ownerOf(call), otherOf(call)];
  };
  assert.deepEqual(of("outbound"), ["alice", "bob"]);
  assert.deepEqual(of("inbound"), ["bob", "alice"]);
  assert.deepEqual(of("transit"), ["alice", "bob"]);
});

Deno.test("the way of media, and what translating costs", () => {
  assert.equal(
    mediaWayWords({ kind: "direct", worker: null }, false, false),
    "direct, past this server",
  );
  assert.equal(mediaWayWords({ kind: "rtp", worker: null }, false, false), "not there yet");
  assert.equal(
    mediaWayWords({ kind: "rtp", worker: 1 }, true, false),
    "relayed by worker 1, encrypted",
  );
  assert.equal(
    mediaWayWords({ kind: "rtp", worker: 0 }, false, false),
    "relayed by worker 0, not encrypted",
  );
  const costs = {
    from: "PCMU",
    to: "OPUS",
    worker: "codec-1",
    delayMs: 40,
    concealedMs: 1_200,
    recovered: 7,
  };
  assert.equal(
    transcodingWords(costs),
    "PCMU ↔ opus, by worker codec-1, 40 ms buffer, 1,200 ms made up, 7 packets recovered",
  );
  const unknown = { ...costs, worker: null, delayMs: null, concealedMs: 0, recovered: 0 };
  assert.equal(transcodingWords(unknown), "PCMU ↔ opus");
  assert.equal(
    mediaWayWords({ kind: "rtp", worker: 1 }, true, true),
    "over; it was relayed by worker 1, encrypted",
  );
});

Deno.test("registrations outside and trunks in words", () => {
  const of = (registration: "none" | "registering" | "registered" | "failing") =>
    outsideWords({
      server: "sip.example:5060",
      registration,
      reason: registration === "failing" ? "408 Request Timeout" : null,
    });
  assert.equal(of("none"), "calls by sip.example:5060, not registered there");
  assert.equal(of("registering"), "registering at sip.example:5060");
  assert.equal(of("registered"), "registered at sip.example:5060");
  assert.match(of("failing"), /^no longer registered .*408 Request Timeout; trying again$/);
  const trunk = (state: TrunkView["state"], isRegistered: boolean) =>
    trunkStateWords({ state, isRegistered } as TrunkView);
  assert.deepEqual(
    [trunk("up", true), trunk("up", false), trunk("down", true), trunk("starting", false)],
    ["Up, registered", "Up", "Down", "Starting"],
  );
});

Deno.test("workers by name and work; sessions that are away", () => {
  const media = (endpoints: number) =>
    workerWords({ kind: "media", id: 1, endpoints } as MediaWorkerView);
  assert.deepEqual(media(1), { name: "media 1", what: "1 endpoint", isMedia: true });
  assert.equal(media(2).what, "2 endpoints");
  const codec = { kind: "codec", name: "codec-1", state: "running", restarts: 0, load: 0 } as const;
  assert.deepEqual(workerWords({ ...codec, transcodings: 0, isFull: false }), {
    name: "codec-1",
    what: "0 transcodings",
    isMedia: false,
  });
  assert.equal(
    workerWords({ ...codec, transcodings: 9, isFull: true }).what,
    "9 transcodings, full",
  );
  assert.deepEqual([awayWords(0), awayWords(2)], [undefined, "2 away"]);
});

Deno.test("spans have one unit that says enough", () => {
  const words = [45, 119.9, 120, 7_199, 7_200, 172_800].map(spanOf);
  assert.deepEqual(words, ["45 s", "119 s", "2 min", "119 min", "2 h", "2 days"]);
});
