import assert from "node:assert/strict";
import type { LadderPartyView } from "../../../src/actors/control_plane.ts";
import {
  columnsOf,
  messageWords,
  offsetWords,
  partyWords,
  wayWords,
} from "../../../web/console/ladder_words.ts";

const PARTIES: readonly LadderPartyView[] = ["alice", "Port Zero", "bob", "carol"].map((name) => ({
  id: name,
  kind: "session",
  name,
  transport: "TCP",
  address: "127.0.0.1:5060",
}));

Deno.test("an arrow spans the columns of its two parties, whichever way it goes", () => {
  assert.deepEqual(columnsOf(PARTIES, { from: "alice", to: "Port Zero" }), {
    left: 12.5,
    width: 25,
    isBackwards: false,
  });
  assert.deepEqual(columnsOf(PARTIES, { from: "carol", to: "Port Zero" }), {
    left: 37.5,
    width: 50,
    isBackwards: true,
  });
});

Deno.test("times and messages in words", () => {
  assert.equal(offsetWords(0), "0.000 s");
  assert.equal(offsetWords(59_999), "59.999 s");
  assert.equal(offsetWords(125_000), "2:05");
  const message = { from: "bob", to: "Port Zero", method: "INVITE", offsetMs: 344 };
  assert.equal(
    messageWords(PARTIES, { ...message, summary: "200 OK", status: 200, hasSdp: true }),
    "0.344 s, bob to Port Zero: 200 OK to INVITE with session description",
  );
  assert.equal(
    messageWords(PARTIES, {
      ...message,
      summary: "BYE",
      method: "BYE",
      status: null,
      hasSdp: false,
    }),
    "0.344 s, bob to Port Zero: BYE",
  );
});

Deno.test("what never was on a network is not told as if it had been", () => {
  const address = "127.0.0.1:5060";
  const server = {
    id: "server",
    kind: "server",
    name: "Port Zero",
    transport: null,
    address: "",
  } as const;
  const alice = { id: "a", kind: "session", name: "alice", transport: "TCP", address } as const;
  const desk = { id: "d", kind: "wire", name: address, transport: "UDP", address } as const;
  const parties = [alice, server, desk];
  assert.equal(
    wayWords(parties, { from: "a", to: "server", transport: "TCP" }),
    "inside the server",
  );
  assert.equal(
    wayWords(parties, { from: "server", to: "a", transport: "TCP" }),
    "inside the server",
  );
  assert.equal(wayWords(parties, { from: "server", to: "d", transport: "UDP" }), "UDP");
  assert.equal(partyWords(alice), "alice, a user agent inside the server");
  assert.equal(partyWords({ ...desk, name: "1000" }), `1000 UDP ${address}`);
  assert.equal(partyWords(server), "Port Zero");
});
