import assert from "node:assert/strict";
import type { SipTransport } from "../../../src/sip/flow.ts";
import { promisesLife } from "../../../src/sip/registrar/outbound.ts";
import { Registrar } from "../../../src/sip/registrar/registrar.ts";
import { flow, request } from "../../support/sip_fixtures.ts";

/** Path (RFC 3327), flows of one device (RFC 5626), GRUUs (RFC 5627). */

const AOR = "bob@example.com";
const INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"';
let sequence = 0;

function register(registrar: Registrar, contact: string, extra: string[] = [], from = "f", at = 0) {
  const made = request("REGISTER", {
    callId: `call ${contact}`.replace(/[^a-z0-9]/gi, ""),
    sequence: ++sequence,
    extra: [`Contact: ${contact}`, "Expires: 600", ...extra],
  });
  const { response } = registrar.register(made, AOR, flow(from), at, "t");
  return response;
}

const contactsOf = (registrar: Registrar) =>
  registrar.location.lookup(AOR, 0).map((b) => `${b.contact} ${b.flow.id} ${b.regId ?? "-"}`);

Deno.test("a device's flows are told apart by reg-id, and each takes its own place", () => {
  const registrar = new Registrar();
  const contact = (host: string, id: number) => `<sip:bob@${host};ob>;${INSTANCE};reg-id=${id}`;
  register(registrar, contact("a.test", 1), [], "one");
  register(registrar, contact("a.test", 2), [], "two");
  // The device has a new address and a new connection for its first flow.
  register(registrar, contact("b.test", 1), [], "three");
  assert.deepEqual(contactsOf(registrar).sort(), [
    "sip:bob@a.test;ob two 2",
    "sip:bob@b.test;ob three 1",
  ]);
});

Deno.test("reg-id counts only beside an instance, and only where it is a number", () => {
  for (const params of ["reg-id=1", `${INSTANCE};reg-id=x`, `${INSTANCE};reg-id=0`, INSTANCE]) {
    const registrar = new Registrar();
    register(registrar, `<sip:bob@a.test>;${params}`);
    assert.deepEqual(contactsOf(registrar), ["sip:bob@a.test f -"], params);
  }
});

Deno.test("Require: outbound tells a device that its flows are kept (RFC 5626 6)", () => {
  const contact = `<sip:bob@a.test;ob>;${INSTANCE};reg-id=1`;
  const answer = (...extra: string[]) =>
    register(new Registrar(), contact, extra).headers.get("Require");
  assert.equal(answer("Supported: outbound, path"), "outbound");
  assert.equal(answer(), undefined);
});

Deno.test("Flow-Timer where the device itself keeps a connection alive, and only there (RFC 5626)", () => {
  const contact = `<sip:bob@a.test;ob>;${INSTANCE};reg-id=1`;
  const told = (transport: SipTransport, contact: string, ...extra: string[]) => {
    const registrar = new Registrar();
    const made = request("REGISTER", { extra: [`Contact: ${contact}`, ...extra] });
    const { response } = registrar.register(made, AOR, flow("f", transport), 0, "t");
    const [binding] = registrar.location.lookup(AOR, 0);
    assert.ok(binding);
    return [response.headers.get("Flow-Timer"), promisesLife(binding)];
  };
  const outbound = "Supported: outbound, path";
  assert.deepEqual(told("TCP", contact, outbound), ["120", true]);
  assert.deepEqual(told("TLS", contact, outbound), ["120", true]);
  assert.deepEqual(told("UDP", contact, outbound), [undefined, false], "keep-alives by STUN");
  assert.deepEqual(told("WSS", contact, outbound), [undefined, false]);
  assert.deepEqual(told("TCP", `<sip:bob@a.test>;${INSTANCE}`, outbound), [undefined, false]);
  const behind = told("TCP", contact, outbound, "Path: <sip:edge.test;lr;ob>");
  assert.deepEqual(behind, [undefined, false], "the connection is that of a proxy");
});

Deno.test("439 where the first hop knows nothing of flows", () => {
  const contact = `<sip:bob@a.test;ob>;${INSTANCE};reg-id=1`;
  const between = ["Via: SIP/2.0/UDP phone.test;branch=z9hG4bK9", "Supported: outbound, path"];
  const status = (...extra: string[]) =>
    register(new Registrar(), contact, [...between, ...extra]).status;
  assert.equal(status(), 439);
  assert.equal(status("Path: <sip:edge.test;lr>"), 439);
  assert.equal(status("Path: <sip:edge.test;lr;ob>"), 200);
});

Deno.test("Path is kept with the binding, and told where it is understood", () => {
  const registrar = new Registrar();
  const paths = ["<sip:one.test;lr>", "<sip:two.test;lr>"];
  const told = register(registrar, "<sip:bob@a.test>", [`Path: ${paths}`, "Supported: path"]);
  assert.deepEqual(told.headers.getAll("Path"), paths);
  assert.deepEqual(registrar.location.lookup(AOR, 0)[0]?.path, paths);
  const silent = register(registrar, "<sip:bob@a.test>", [`Path: ${paths}`]);
  assert.equal(silent.headers.has("Path"), false);
});

Deno.test("a public GRUU for devices that ask for one", () => {
  const registrar = new Registrar();
  const contact = `<sip:bob@a.test>;${INSTANCE}`;
  const value = (extra: string[]) => register(registrar, contact, extra).headers.get("Contact")!;
  assert.match(
    value(["Supported: gruu"]),
    /;pub-gruu="sip:bob@example.com;gr=urn:uuid:00000000-0000-1000-8000-000a95a0e128";expires=600$/,
  );
  assert.doesNotMatch(value([]), /gruu/);
  const odd = register(new Registrar(), '<sip:bob@a.test>;+sip.instance="<\\"x>"', [
    "Supported: gruu",
  ]);
  assert.doesNotMatch(odd.headers.get("Contact")!, /pub-gruu/, "what cannot stand in a URI");
});
