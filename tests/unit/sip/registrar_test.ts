import assert from "node:assert/strict";
import { Registrar } from "../../../src/sip/registrar/registrar.ts";
import { flow, request } from "../../support/sip_fixtures.ts";

const AOR = "bob@example.com";

interface Wish {
  readonly contacts?: readonly string[];
  readonly expires?: number | string;
  readonly callId?: string;
  readonly sequence?: number;
  readonly from?: string;
  readonly at?: number;
}

/** A registrar with short limits; `register` gives back status and contacts as text. */
class Desk {
  readonly registrar = new Registrar({
    minExpires: 60,
    maxExpires: 600,
    defaultExpires: 300,
    maxBindingsPerAor: 3,
  });
  #sequence = 0;

  register(wish: Wish = {}) {
    const made = request("REGISTER", {
      callId: wish.callId ?? "r",
      sequence: wish.sequence ?? ++this.#sequence,
      extra: [
        ...(wish.contacts ?? []).map((c) => `Contact: ${c}`),
        ...(wish.expires === undefined ? [] : [`Expires: ${wish.expires}`]),
      ],
    });
    const from = flow(wish.from ?? "f");
    const { response, events } = this.registrar.register(made, AOR, from, wish.at ?? 0, "t");
    return {
      status: response.status,
      contacts: response.headers.getAll("Contact"),
      events: events.map((e) => e.type === "binding-removed" ? `${e.type} ${e.reason}` : e.type),
      response,
    };
  }

  /** User parts bound at `now`, best first. */
  users(now = 0): string[] {
    return this.registrar.location.lookup(AOR, now).map((b) => b.contact);
  }
}

Deno.test("add, refresh, query, remove (RFC 3261 10.3)", () => {
  const desk = new Desk();
  const added = desk.register({ contacts: ["<sip:bob@a.test>"] });
  assert.deepEqual(added.contacts, ["<sip:bob@a.test>;expires=300"]);
  assert.deepEqual(added.events, ["binding-added"]);
  const refreshed = desk.register({ contacts: ["<sip:bob@a.test>"], at: 100_000 });
  assert.deepEqual(refreshed.events, ["binding-refreshed"]);
  const queried = desk.register({ at: 200_000 });
  assert.deepEqual(queried.contacts, ["<sip:bob@a.test>;expires=200"]);
  assert.deepEqual(queried.events, []);
  const removed = desk.register({ contacts: ["<sip:bob@a.test>"], expires: 0, at: 200_000 });
  assert.deepEqual(removed.events, ["binding-removed unregistered"]);
  assert.deepEqual(removed.contacts, []);
  assert.equal(desk.registrar.location.bindingCount, 0);
  assert.equal(desk.registrar.location.nextExpiry, undefined);
});

Deno.test("expiry: of the Contact before the header, capped, too brief is 423, odd is an hour", () => {
  const desk = new Desk();
  const expiry = (contact: string, expires?: number | string) => {
    const made = desk.register({
      contacts: [contact],
      ...(expires === undefined ? {} : { expires }),
    });
    return made.status === 200 ? made.contacts[0]?.split("=").at(-1) : made.status;
  };
  assert.equal(expiry("<sip:bob@a.test>;expires=120", 500), "120");
  assert.equal(expiry("<sip:bob@a.test>", 500), "500");
  assert.equal(expiry("<sip:bob@a.test>", 100_000), "600");
  assert.equal(expiry("<sip:bob@a.test>;expires=soon"), "600");
  assert.equal(expiry("<sip:bob@a.test>", 59), 423);
  const brief = desk.register({ contacts: ["<sip:bob@a.test>"], expires: 1 });
  assert.equal(brief.response.headers.get("Min-Expires"), "60");
});

Deno.test("bindings expire one by one", () => {
  const desk = new Desk();
  desk.register({ contacts: ["<sip:bob@a.test>;expires=60", "<sip:bob@b.test>;expires=90"] });
  const { location } = desk.registrar;
  assert.equal(location.nextExpiry, 60_000);
  assert.equal(location.expire(59_999), undefined);
  assert.equal(location.expire(60_000)?.contact, "sip:bob@a.test");
  assert.equal(location.expire(60_000), undefined);
  assert.deepEqual(desk.users(60_000), ["sip:bob@b.test"]);
  assert.deepEqual(desk.users(90_000), [], "what has expired is not called");
});

Deno.test("several bindings: by q, then by age; the limit holds", () => {
  const desk = new Desk();
  desk.register({
    contacts: ["<sip:low@a.test>;q=0.1", "<sip:one@a.test>", "<sip:two@a.test>"],
  });
  assert.deepEqual(desk.users(), ["sip:one@a.test", "sip:two@a.test", "sip:low@a.test"]);
  const fourth = desk.register({ contacts: ["<sip:four@a.test>"] });
  assert.equal(fourth.status, 403);
  const swap = desk.register({ contacts: ["<sip:one@a.test>;expires=0", "<sip:four@a.test>"] });
  assert.equal(swap.status, 200);
  assert.deepEqual(desk.users(), ["sip:two@a.test", "sip:four@a.test", "sip:low@a.test"]);
});

Deno.test("all or nothing: one bad contact and none is taken (10.3 step 7)", () => {
  const desk = new Desk();
  const made = desk.register({ contacts: ["<sip:bob@a.test>", "<sip:bob@b.test>;expires=1"] });
  assert.equal(made.status, 423);
  assert.equal(desk.registrar.location.bindingCount, 0);
  assert.equal(desk.register({ contacts: ["<tel:+4930123>"] }).status, 400);
});

Deno.test("an older REGISTER does not undo a newer one; another Call-ID may", () => {
  const desk = new Desk();
  desk.register({ contacts: ["<sip:bob@a.test>"], sequence: 5 });
  const old = desk.register({ contacts: ["<sip:bob@a.test>"], sequence: 4, expires: 0 });
  assert.equal(old.status, 500);
  assert.equal(desk.register({ contacts: ["*"], sequence: 5, expires: 0 }).status, 500);
  assert.equal(desk.users().length, 1);
  const other = desk.register({
    contacts: ["<sip:bob@a.test>"],
    callId: "other",
    sequence: 1,
    expires: 0,
  });
  assert.equal(other.status, 200);
  assert.equal(desk.users().length, 0);
});

Deno.test("Contact * wants Expires 0", () => {
  const desk = new Desk();
  desk.register({ contacts: ["<sip:bob@a.test>", "<sip:bob@b.test>"] });
  assert.equal(desk.register({ contacts: ["*"] }).status, 400);
  assert.equal(desk.register({ contacts: ["*"], expires: 300 }).status, 400);
  assert.equal(desk.users().length, 2);
  const all = desk.register({ contacts: ["*"], expires: 0 });
  assert.deepEqual(all.events, ["binding-removed unregistered", "binding-removed unregistered"]);
});

Deno.test("contacts are one by user, host, port and transport, whatever their spelling", () => {
  const desk = new Desk();
  desk.register({ contacts: ["<sip:bob@A.test:5060;transport=tcp;x=1>"] });
  desk.register({ contacts: ["<sip:b%6fb@a.TEST:5060;transport=TCP>"] });
  assert.equal(desk.users().length, 1);
  desk.register({ contacts: ["<sip:bob@a.test:5060;transport=udp>"] });
  desk.register({ contacts: ["<sip:BOB@a.test:5060;transport=tcp>"] });
  assert.equal(desk.users().length, 3);
});

Deno.test("a contact that comes on another flow takes the old one's place", () => {
  const desk = new Desk();
  desk.register({ contacts: ["<sip:bob@a.test>"], from: "f1" });
  const moved = desk.register({ contacts: ["<sip:bob@a.test>"], from: "f2" });
  assert.deepEqual(moved.events, ["binding-removed replaced", "binding-added"]);
  const { location } = desk.registrar;
  assert.deepEqual(location.removeFlow(flow("f1").id), []);
  assert.equal(location.removeFlow(flow("f2").id).length, 1);
  assert.equal(location.bindingCount, 0);
  assert.equal(location.aorCount, 0);
  assert.equal(location.nextExpiry, undefined);
});

Deno.test("pages in order of arrival, also over refreshes", () => {
  const desk = new Desk();
  for (const user of ["a", "b", "c"]) desk.register({ contacts: [`<sip:${user}@a.test>`] });
  desk.register({ contacts: ["<sip:a@a.test>"] });
  const { location } = desk.registrar;
  const first = location.page({ limit: 2 });
  assert.deepEqual(first.bindings.map((b) => b.contact), ["sip:a@a.test", "sip:b@a.test"]);
  assert.ok(first.next !== null);
  const second = location.page({ limit: 2, after: first.next });
  assert.deepEqual(second.bindings.map((b) => b.contact), ["sip:c@a.test"]);
  assert.equal(second.next, null);
  assert.equal(location.page({ limit: 9, aor: "nobody@example.com" }).bindings.length, 0);
  assert.equal(location.page({ limit: 9, aor: AOR }).bindings.length, 3);
});
