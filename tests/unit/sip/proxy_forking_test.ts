import assert from "node:assert/strict";
import { ok } from "../../../src/core/result.ts";
import { createRequest } from "../../../src/sip/dialog/requests.ts";
import { SipUri } from "../../../src/sip/message/mod.ts";
import { REALM, World, type WorldOptions } from "../../support/sip_world.ts";

/** Serial and parallel forking, several flows of one device, redirections, dial plans. */

const SILENT = { answerAfter: undefined } as const;

/** Alice, and Bob registered at places of these q values. */
function places(
  qs: readonly string[],
  behaviours: Parameters<World["phone"]>[1][] = [],
  options: WorldOptions = {},
) {
  const world = new World(options);
  const alice = world.phone("alice", { hangupAfter: undefined });
  alice.register();
  const bobs = qs.map((q, i) => {
    const bob = world.phone("bob", behaviours[i] ?? {});
    bob.register(3600, `<${bob.contact}>;q=${q}`);
    return bob;
  });
  world.clock.advance(10);
  return { world, alice, bobs };
}

function invites(phones: readonly { heard: readonly string[] }[]): boolean[] {
  return phones.map(({ heard }) => heard.includes("INVITE"));
}

Deno.test("lower q is asked when the higher has refused (16.6)", () => {
  const { world, alice, bobs } = places(["0.3", "0.8"], [{}, { answer: 486, answerAfter: 500 }]);
  const callId = alice.invite("bob");
  world.clock.advance(300);
  assert.deepEqual(invites(bobs), [false, true]);
  world.clock.advance(5_000);
  assert.deepEqual(invites(bobs), [true, true]);
  assert.deepEqual(alice.outcomes.get(callId), [{ kind: "final", status: 200 }]);
});

Deno.test("equal q ring together, the rest after 20 s without an answer", () => {
  const { world, alice, bobs } = places(["0.5", "0.5", "0.1"], [SILENT, SILENT, {}]);
  const callId = alice.invite("bob");
  world.clock.advance(19_000);
  assert.deepEqual(invites(bobs), [true, true, false]);
  world.clock.advance(10_000);
  assert.deepEqual(invites(bobs), [true, true, true]);
  assert.deepEqual(bobs.slice(0, 2).map((bob) => bob.heard.at(-1)), ["CANCEL", "CANCEL"]);
  assert.deepEqual(alice.outcomes.get(callId), [{ kind: "final", status: 200 }]);
});

Deno.test("the last group rings until timer C", () => {
  const { world, alice } = places(["0.5", "0.1"], [{ answer: 404, answerAfter: 10 }, SILENT]);
  const callId = alice.invite("bob");
  world.clock.advance(180_000);
  assert.deepEqual(alice.outcomes.get(callId), []);
  world.clock.advance(10_000);
  assert.deepEqual(alice.outcomes.get(callId), [{ kind: "final", status: 404 }]);
});

Deno.test("who is cancelled or declined asks nobody else", () => {
  const cancelled = places(["1", "0.1"], [SILENT, {}]);
  const first = cancelled.alice.invite("bob");
  cancelled.world.clock.advance(500);
  cancelled.alice.cancel(first);
  cancelled.world.clock.advance(40_000);
  assert.deepEqual(invites(cancelled.bobs), [true, false]);
  assert.deepEqual(cancelled.alice.outcomes.get(first), [{ kind: "final", status: 487 }]);
  const declined = places(["1", "0.1"], [{ answer: 603, answerAfter: 100 }, {}]);
  const second = declined.alice.invite("bob");
  declined.world.clock.advance(40_000);
  assert.deepEqual(invites(declined.bobs), [true, false]);
  assert.deepEqual(declined.alice.outcomes.get(second), [{ kind: "final", status: 603 }]);
});

Deno.test("a MESSAGE does not wait: all places at once, whatever their q", () => {
  const { world, alice, bobs } = places(["1", "0.1"]);
  alice.message("bob");
  world.clock.advance(100);
  for (const bob of bobs) assert.equal(bob.heard.at(-1), "MESSAGE");
});

function withBreadth(world: World, value: string) {
  const alice = world.phone("alice");
  const request = createRequest({
    method: "INVITE",
    requestUri: `sip:bob@${REALM}`,
    from: `<sip:alice@${REALM}>;tag=breadth`,
    to: `<sip:bob@${REALM}>`,
    callId: "breadth",
    sequence: 1,
    contact: `<${alice.contact}>`,
    headers: [["Max-Breadth", value]],
  });
  alice.send(request, "invite breadth");
  return alice;
}

Deno.test("Max-Breadth: one at a time where it is 1, none where it is 0 (RFC 5393 5.3.3)", () => {
  const { world, bobs } = places(["1", "1"], [{ answer: 486, answerAfter: 100 }, {}]);
  const none = withBreadth(world, "0");
  world.clock.advance(50);
  assert.ok(none.heard.includes("440 INVITE"), none.heard.join());
  withBreadth(world, "1");
  world.clock.advance(60);
  assert.deepEqual(invites(bobs), [true, false]);
  world.clock.advance(1_000);
  assert.deepEqual(invites(bobs), [true, true]);
  assert.equal(bobs[1]!.requests[0]?.headers.get("Max-Breadth"), "1");
  const { world: wide, alice, bobs: three } = places(["1", "1", "1"]);
  alice.invite("bob");
  wide.clock.advance(50);
  assert.deepEqual(three.map((b) => b.requests[0]?.headers.get("Max-Breadth")), ["20", "20", "20"]);
});

Deno.test("two flows of one device: one rings; the other where the first breaks (RFC 5626)", () => {
  const world = new World();
  const alice = world.phone("alice");
  const flows = [world.phone("bob"), world.phone("bob", SILENT)];
  alice.register();
  flows.forEach((flow, i) => {
    const params = `+sip.instance="<urn:uuid:1>";reg-id=${i + 1}`;
    flow.register(3600, `<${flow.contact};ob>;${params}`);
    world.clock.advance(10);
  });
  assert.equal(world.proxy.bindingCount, 3);
  const callId = alice.invite("bob");
  world.clock.advance(100);
  assert.deepEqual(invites(flows), [false, true], "the flow that was refreshed last");
  flows[1]!.disconnect();
  world.clock.advance(3_000);
  assert.deepEqual(invites(flows), [true, true]);
  assert.deepEqual(alice.outcomes.get(callId), [{ kind: "final", status: 200 }]);
});

Deno.test("a GRUU reaches its device only (RFC 5627)", () => {
  const world = new World();
  const alice = world.phone("alice");
  alice.register();
  const bobs = ["a", "b"].map((name) => {
    const bob = world.phone("bob");
    bob.register(3600, `<${bob.contact}>;+sip.instance="<urn:uuid:${name}>"`);
    return bob;
  });
  world.clock.advance(10);
  alice.invite(`sip:bob@${REALM};gr=urn:uuid:b`);
  const gone = alice.invite(`sip:bob@${REALM};gr=urn:uuid:c`);
  world.clock.advance(500);
  assert.deepEqual(invites(bobs), [false, true]);
  assert.deepEqual(alice.outcomes.get(gone), [{ kind: "final", status: 404 }]);
});

Deno.test("3xx: to the caller; followed where the proxy is told to, and only to places of ours", () => {
  const behaviours = { answer: 302, answerAfter: 10, redirectTo: `<sip:carol@${REALM}>` };
  const run = (redirections: number, redirectTo = behaviours.redirectTo) => {
    const { world, alice } = places(["1"], [{ ...behaviours, redirectTo }], {
      proxy: { redirections },
    });
    const carol = world.phone("carol");
    carol.register();
    world.clock.advance(10);
    const callId = alice.invite("bob");
    world.clock.advance(5_000);
    return [alice.outcomes.get(callId)?.[0]?.status, carol.heard.includes("INVITE")];
  };
  assert.deepEqual(run(0), [302, false]);
  assert.deepEqual(run(1), [200, true]);
  assert.deepEqual(run(1, "<sip:elsewhere@example.org>"), [302, false]);
  assert.deepEqual(run(3, `<sip:bob@${REALM}>`), [302, false], "round and round");
});

Deno.test("a dial plan makes an address of a number; without one a tel URI is 416", () => {
  const translate: WorldOptions["translate"] = (_request, uri, identity) =>
    uri.scheme === "tel" && identity === "alice"
      ? ok(SipUri.of({ user: "bob", host: REALM }))
      : undefined;
  const send = (options: WorldOptions) => {
    const { world, alice, bobs } = places(["1"], [], options);
    alice.send(createRequest({
      method: "MESSAGE",
      requestUri: "tel:+4930123456",
      from: `<sip:alice@${REALM}>;tag=t`,
      to: "<tel:+4930123456>",
      callId: "tel",
      sequence: 1,
    }));
    world.clock.advance(100);
    return [alice.heard.at(-1), bobs[0]!.heard.includes("MESSAGE")];
  };
  assert.deepEqual(send({ translate }), ["200 MESSAGE", true]);
  assert.deepEqual(send({}), ["416 MESSAGE", false]);
});

Deno.test("a Path stands in front of the routes of what goes there (RFC 3327)", () => {
  const { world, alice } = places([]);
  const bob = world.phone("bob");
  const register = createRequest({
    method: "REGISTER",
    requestUri: `sip:${REALM}`,
    from: `<sip:bob@${REALM}>;tag=p`,
    to: `<sip:bob@${REALM}>`,
    callId: "path",
    sequence: 1,
    contact: `<${bob.contact}>`,
    headers: [["Path", "<sip:edge.example.org;lr>"], ["Supported", "path"]],
  });
  bob.send(register);
  world.clock.advance(10);
  alice.invite("bob");
  world.clock.advance(10);
  const [invite] = bob.requests;
  assert.deepEqual(invite?.headers.getAll("Route"), ["<sip:edge.example.org;lr>"]);
  assert.equal(invite?.uri, bob.contact);
});

Deno.test("who calls himself rings himself, and no loop comes of it", () => {
  const { world, bobs } = places(["1"], [{ answerAfter: 500 }]);
  const bob = bobs[0]!;
  const callId = bob.invite("bob");
  world.clock.advance(20_000);
  assert.deepEqual(bob.outcomes.get(callId), [{ kind: "final", status: 200 }]);
  assert.equal(bob.heard.filter((heard) => heard === "INVITE").length, 1);
  assert.equal(bob.heard.at(-1), "200 BYE");
  assert.equal(world.proxy.dialogCount, 0);
});
