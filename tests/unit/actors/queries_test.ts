import assert from "node:assert/strict";
import type { CallSummary, Page, PageQuery } from "../../../src/actors/control_plane.ts";
import { ENDED_CALLS } from "../../../src/actors/ended_calls.ts";
import type { WorkerView } from "../../../src/rtp/media_port.ts";
import type { SimClient } from "../../sim/client.ts";
import { SimWorld } from "../../sim/world.ts";

/** What operators read of a real control plane on a clock of its own. */

function newWorld(...logins: string[]) {
  const world = new SimWorld({ seed: 1 });
  const clients = logins.map((login) => {
    const client = world.client(login).connect();
    client.onIncoming = (call) => client.answer(call);
    return client;
  });
  world.clock.advance(100);
  return { world, control: world.plane.control, clients };
}

/** All pages, one after the other; `between` happens after each. */
function readAll<T>(
  read: (query: PageQuery) => Page<T>,
  limit: number,
  between: () => void = () => {},
): T[][] {
  const pages: T[][] = [];
  let cursor: string | null = null;
  do {
    const page: Page<T> = read({ limit, ...(cursor === null ? {} : { cursor }) });
    pages.push([...page.items]);
    cursor = page.next;
    between();
    assert(pages.length < 100, "the pages never end");
  } while (cursor !== null);
  return pages;
}

function callOne(world: SimWorld, caller: SimClient, callee: string): void {
  caller.call(callee);
  world.clock.advance(1_000);
}

Deno.test("queries: pages of a list hold everything once, in order", () => {
  const { control } = newWorld("a", "b", "c", "d", "e");
  for (const [limit, sizes] of [[2, [2, 2, 1]], [5, [5]], [1, [1, 1, 1, 1, 1]]] as const) {
    const pages = readAll((query) => control.sessions(query), limit);
    assert.deepEqual(pages.map((page) => page.length), sizes);
    assert.deepEqual(pages.flat().map(({ login }) => login), ["a", "b", "c", "d", "e"]);
  }
});

Deno.test("queries: sessions by user and by state", () => {
  const { world, control, clients } = newWorld("a", "b", "b");
  clients[1]!.drop();
  world.clock.advance(100);
  const logins = (query: Parameters<typeof control.sessions>[0]) =>
    control.sessions(query).items.map(({ login, state }) => `${login} ${state}`);
  assert.deepEqual(logins({ limit: 9, user: "b" }), ["b detached", "b registered"]);
  assert.deepEqual(logins({ limit: 9, state: "registered" }), ["a registered", "b registered"]);
  assert.deepEqual(logins({ limit: 9, state: "detached", user: "a" }), []);
});

Deno.test("queries: live calls by state and user; both sides name each other", () => {
  const { world, control, clients: [alice, , carol] } = newWorld("alice", "bob", "carol", "dave");
  callOne(world, alice!, "bob");
  callOne(world, carol!, "dave");
  carol!.hold(carol!.live[0]!, true);
  world.clock.advance(1_000);
  const seen = (query: Parameters<typeof control.calls>[0]) =>
    control.calls(query).items.map(({ caller, callee, direction, state }) =>
      `${caller} ${callee} ${direction} ${state}`
    );
  assert.deepEqual(seen({ limit: 9, user: "bob" }), [
    "alice bob outbound active",
    "alice bob inbound active",
  ]);
  assert.deepEqual(seen({ limit: 9, state: "held" }), [
    "carol dave outbound held",
    "carol dave inbound held",
  ]);
  assert.deepEqual(seen({ limit: 9, state: "ended" }), []);
  const [outbound, inbound] = control.calls({ limit: 9, user: "alice" }).items;
  assert.deepEqual(
    [outbound!.peerCallId, inbound!.peerCallId, outbound!.sipCallId],
    [inbound!.id, outbound!.id, inbound!.sipCallId],
  );
  assert.deepEqual(control.call(outbound!.id)?.hold, { local: false, remote: false });
});

Deno.test("queries: a page behind a call that has ended meanwhile misses none of the others", () => {
  const { world, control, clients } = newWorld("a", "b", "c", "d");
  for (const [caller, callee] of [["a", "b"], ["b", "c"], ["c", "d"]] as const) {
    callOne(world, clients.find(({ login }) => login === caller)!, callee);
  }
  const first = control.calls({ limit: 2 });
  assert.deepEqual(first.items.map(({ caller }) => caller), ["a", "a"]);
  assert(control.endCall(first.items[1]!.id).ok);
  world.clock.advance(5_000);
  const rest = control.calls({ limit: 9, cursor: first.next! });
  assert.deepEqual(rest.items.map(({ caller }) => caller), ["b", "b", "c", "c"]);
  assert.equal(rest.next, null);
});

Deno.test("queries: ended calls come newest first, also while more of them end", () => {
  const { world, control, clients } = newWorld("a", "b");
  const [a] = clients;
  const endOne = () => {
    callOne(world, a!, "b");
    a!.hangup(a!.live[0]!);
    world.clock.advance(1_000);
  };
  for (let i = 0; i < 4; i++) endOne();
  const before = control.calls({ limit: 100, state: "ended" }).items.map(({ id }) => id);
  assert.equal(before.length, 8);
  // To the second: the two sides of one call end in the order of their BYE.
  const times = control.calls({ limit: 100, state: "ended" }).items
    .map(({ startedAt }) => startedAt.slice(0, 19));
  assert.deepEqual(times, [...times].sort().reverse());
  const read = (query: PageQuery) => control.calls({ ...query, state: "ended" });
  const paged: CallSummary[] = readAll(read, 3, endOne).flat();
  assert.deepEqual(paged.map(({ id }) => id), before);
  const view = control.call(before[0]!);
  assert.equal(view?.state, "ended");
  assert.match(view?.termination?.reason ?? "", /^(?:remote_)?hangup$/);
});

Deno.test("queries: the archive keeps the last ended calls and no more", () => {
  const { world, control, clients: [a] } = newWorld("a");
  const ids: string[] = [];
  for (let i = 0; i < ENDED_CALLS + 3; i++) {
    ids.push(a!.call("nobody").id);
    world.clock.advance(40);
  }
  world.clock.advance(60_000);
  const kept = readAll((query) => control.calls({ ...query, state: "ended" }), 300).flat();
  assert.equal(kept.length, ENDED_CALLS);
  assert.deepEqual([kept[0]!.id, kept.at(-1)!.id], [ids.at(-1), ids[3]]);
  assert.equal(control.call(ids[0]!), undefined);
  assert.equal(kept[0]!.termination?.reason, "not_found");
});

Deno.test("queries: bindings by user, paged, as long as their session lasts", () => {
  const { world, control, clients } = newWorld("a", "b", "jürgen", "b");
  const users = (query: Parameters<typeof control.registrations>[0]) =>
    control.registrations(query).items.map(({ aor }) => aor);
  const all = readAll((query) => control.registrations(query), 3);
  assert.deepEqual(all.map((page) => page.length), [3, 1]);
  assert.equal(users({ limit: 9, user: "b" }).length, 2);
  assert.equal(users({ limit: 9, user: "jürgen" }).length, 1);
  assert.equal(users({ limit: 9, q: "B@Localhost" }).length, 2, "whatever its case");
  assert.equal(users({ limit: 9, q: "zero b@" }).length, 2, "each of the words");
  assert.equal(users({ limit: 9, q: "JÜRGEN" }).length, 1);
  assert.equal(users({ limit: 9, q: "b@ elsewhere" }).length, 0);
  const found = readAll((query) => control.registrations({ ...query, q: "b@l" }), 1).flat();
  assert.deepEqual(found.map(({ aor }) => aor), users({ limit: 9, user: "b" }), "paged");
  const [mine] = control.registrations({ limit: 9, user: "a" }).items;
  assert.equal(mine?.sessionId, clients[0]!.handle!.id);
  assert.equal(mine?.expiresAt, new Date(world.clock.epoch() - 100 + 3_600_000).toISOString());
  assert(control.endSession(mine!.sessionId!).ok);
  world.clock.advance(10_000);
  assert.deepEqual(users({ limit: 9, user: "a" }), []);
});

Deno.test("queries: a cursor that we never gave out names nothing", () => {
  const { control } = newWorld("a");
  assert.deepEqual(control.sessions({ limit: 9, cursor: "elsewhere" }), { items: [], next: null });
});

Deno.test("queries: sessions that are away are counted apart, until they are back or over", () => {
  const { world, control, clients: [a, b] } = newWorld("a", "b", "c");
  const counts = () => [control.health().sessions, control.health().sessionsAway];
  assert.deepEqual(counts(), [3, 0]);
  const { authToken } = a!.handle!;
  a!.drop();
  b!.drop();
  world.clock.advance(100);
  assert.deepEqual(counts(), [3, 2]);
  // No longer called, but still waited for.
  world.clock.advance(600_000);
  assert.deepEqual(counts(), [3, 2]);
  assert.equal(control.sessions({ limit: 9, state: "detached" }).items.length, 2);
  assert(a!.resume(authToken));
  world.clock.advance(100);
  assert.deepEqual(counts(), [3, 1]);
  world.clock.advance(3_700_000);
  assert.deepEqual(counts(), [2, 0]);
});

Deno.test("queries: workers of either kind, with what they do", () => {
  const media = { id: 0, state: "running", restarts: 2 } as unknown as WorkerView;
  const codec = {
    name: "codec-1",
    state: "restarting",
    restarts: 1,
    load: 0.5,
    isFull: true,
  } as const;
  const ports = { workers: () => [media], codecWorkers: () => [{ ...codec, transcoders: 3 }] };
  const { control } = new SimWorld({ seed: 1, ports: () => ports }).plane;
  assert.deepEqual(control.workers(), [
    { kind: "media", ...media },
    { kind: "codec", ...codec, transcodings: 3 },
  ]);
  // What else there is, is counted by itself.
  assert.deepEqual([control.health().workers.running, control.health().workers.total], [1, 1]);
});

Deno.test("queries: health counts what lives", () => {
  const { world, control, clients: [a] } = newWorld("a", "b");
  callOne(world, a!, "b");
  const { status, sessions, calls, uptimeSeconds } = control.health();
  assert.deepEqual([status, sessions, calls, uptimeSeconds], ["ok", 2, 2, 1]);
});
