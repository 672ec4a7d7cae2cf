import assert from "node:assert/strict";
import type { CallSummary } from "../../../src/actors/control_plane.ts";
import { termination, type TerminationReason } from "../../../src/core/termination.ts";
import { conversationsOf, endingOf } from "../../../web/console/model.ts";
import { clientWords, endingWords } from "../../../web/console/words.ts";
import { bytesOf, clockOf, percentOf, secondsSince } from "../../../web/shared/format.ts";

function call(of: Partial<CallSummary>): CallSummary {
  return {
    id: "1",
    sessionId: "s",
    direction: "outbound",
    caller: "alice",
    callee: "bob",
    state: "active",
    since: "2026-01-01T00:00:00.000Z",
    startedAt: "2026-01-01T00:00:00.000Z",
    sipCallId: "x",
    codecs: ["opus"],
    peerCallId: null,
    lossPercent: 0,
    termination: null,
    ...of,
  };
}

Deno.test("the two calls of two browsers are one conversation, led by the caller's", () => {
  const conversations = conversationsOf([
    call({ id: "in", direction: "inbound", peerCallId: "out", lossPercent: 3 }),
    call({ id: "other", sipCallId: "y" }),
    call({ id: "out", peerCallId: "in", lossPercent: 1 }),
  ]);
  assert.equal(conversations.length, 2);
  assert.equal(conversations[0]?.lead.id, "out");
  assert.deepEqual(conversations[0]?.others.map((other) => other.id), ["in"]);
  assert.deepEqual(conversations[0]?.losses, [1, 3]);
});

Deno.test("of several windows that ring, the one that answered is the other side", () => {
  const [conversation] = conversationsOf([
    call({ id: "out", peerCallId: "b" }),
    call({ id: "a", direction: "inbound", state: "ending" }),
    call({ id: "b", direction: "inbound", state: "active" }),
  ]);
  assert.deepEqual(conversation?.others.map((other) => other.id), ["b", "a"]);
  assert.equal(conversation?.state, "active");
});

Deno.test("a conversation is on hold when either side holds", () => {
  const [conversation] = conversationsOf([
    call({ id: "out" }),
    call({ id: "in", direction: "inbound", state: "held" }),
  ]);
  assert.equal(conversation?.state, "held");
});

Deno.test("an ending names who did it, whichever side tells it", () => {
  const of = (reason: TerminationReason, direction: CallSummary["direction"]) =>
    endingWords(call({ state: "ended", direction, termination: termination(reason) }));
  assert.equal(of("hangup", "outbound"), "alice hung up");
  assert.equal(of("remote_hangup", "inbound"), "alice hung up");
  assert.equal(of("hangup", "inbound"), "bob hung up");
  assert.equal(of("operator", "outbound"), "An operator ended the call");
  assert.equal(endingWords(call({})), "Ended");
});

Deno.test("the side that was lost tells the ending, not the one that only heard of it", () => {
  const ended = (
    reason: TerminationReason,
    direction: CallSummary["direction"] = "inbound",
    second = 9,
  ) =>
    call({
      id: `${reason} ${direction}`,
      state: "ended",
      direction,
      since: `2026-01-01T00:00:0${second}.000Z`,
      termination: termination(reason),
    });
  const lead = ended("remote_hangup", "outbound");
  const words = (...others: CallSummary[]) => endingWords(endingOf({ lead, others }));
  assert.equal(words(ended("session_lost")), "The connection to bob was lost");
  assert.equal(words(ended("hangup")), "bob hung up");
  assert.equal(words(), "bob hung up");
  // A second window was closed while both rang; the first one answered, and hung up later.
  assert.equal(words(ended("session_lost", "inbound", 1), ended("hangup")), "bob hung up");
});

Deno.test("user agents are cut down to the browser", () => {
  const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) " +
    "Chrome/156.0.0.0 Safari/537.36";
  assert.equal(clientWords(chrome), "Chrome 156");
  assert.equal(clientWords(`${chrome} Edg/156.0.0.0`), "Edge 156");
  assert.equal(
    clientWords("Mozilla/5.0 (X11; rv:153.0) Gecko/20100101 Firefox/153.0"),
    "Firefox 153",
  );
  assert.equal(clientWords("my-softphone 2"), "my-softphone 2");
});

Deno.test("numbers as people read them", () => {
  assert.deepEqual([0, 7.9, 754, 3723].map(clockOf), ["0:00", "0:07", "12:34", "1:02:03"]);
  assert.deepEqual([0, 3.42, 12.3].map(percentOf), ["0.0 %", "3.4 %", "12 %"]);
  assert.deepEqual([999, 74_300, 1_900_000].map(bytesOf), ["999 B", "74.3 kB", "1.9 MB"]);
  assert.equal(secondsSince("2026-01-01T00:00:00Z", Date.parse("2026-01-01T00:01:00Z")), 60);
  assert.equal(secondsSince("no time", 5), 0);
});
