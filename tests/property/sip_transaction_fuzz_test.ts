import assert from "node:assert/strict";
import fc from "../support/dice.ts";
import { SeededEntropy } from "../../src/core/entropy.ts";
import { ManualClock } from "../../src/core/manual_clock.ts";
import { Driver } from "../../src/core/sans_io.ts";
import { serialize } from "../../src/sip/message/mod.ts";
import {
  ProxyCore,
  type ProxyInput,
  type ProxyOutput,
  type ProxyPolicy,
} from "../../src/sip/proxy/proxy.ts";
import { bytesOf, flow, requestText, response } from "../support/sip_fixtures.ts";

/**
 * Hostile peers against registrar and proxy: requests put together from odd parts, bytes turned
 * around, responses to what the proxy sent with anything in them. Nothing may throw, and in the end
 * nothing may be left.
 */

const RUNS = 2_000;

const POLICY: ProxyPolicy = {
  isOurs: (host) => host === "example.com" || host === "p.test",
  canonicalDomain: "example.com",
  authorize: (request, _flow, registered) =>
    request.from.uri.user === "1000"
      ? { kind: "challenge", realm: "example.com", username: "1000" }
      : { kind: "allow", identity: registered },
  account: () => undefined,
  hasAccount: (user) => user === "1000",
};

const addresses = fc.constantFrom(
  "<sip:alice@example.com>",
  "<sip:bob@example.com>;tag=b",
  "<sip:1000@example.com>",
  "sip:example.com",
  "<tel:+4930123>;tag=t",
  "<sips:bob@example.com:5061;transport=tls>",
  "<sip:bob@10.0.0.1>",
  "<sip:%00%ff@example.com>",
  '"\\"" <sip:p.test;lr>',
  "<mailto:bob@example.com>",
  "*",
  "",
);

/** Mostly right, so that what is odd elsewhere gets a hearing. */
function mostly(usual: string): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 6, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: addresses },
  );
}

const headers = fc.array(
  fc.oneof(
    fc.tuple(
      fc.constantFrom("Contact", "m", "Route", "Record-Route", "Path", "Refer-To"),
      addresses,
    ).map(([name, value]) => `${name}: ${value}`),
    fc.constantFrom(
      "Expires: 0",
      "Expires: 99999999999",
      "Require: outbound, magic",
      "Proxy-Require: magic",
      "Proxy-Authorization: Digest username=1000",
      'Authorization: Digest username="1000", realm="example.com", nonce="1", uri="sip:x", response="2"',
      "Via: SIP/2.0/UDP p.test:5060;branch=z9hG4bKours",
      "Via: SIP/2.0/UDP [::1;branch=",
      "Max-Forwards: 300",
      "Reason: SIP;cause=200",
    ),
  ),
  { maxLength: 2 },
);

const requests = fc.record({
  method: fc.constantFrom(
    "INVITE",
    "INVITE",
    "INVITE",
    "ACK",
    "CANCEL",
    "BYE",
    "REGISTER",
    "MESSAGE",
    "odd",
  ),
  uri: fc.constantFrom(
    "sip:bob@example.com",
    "sip:bob@example.com",
    "sip:bob@example.com",
    "sip:alice@example.com",
    "sip:1000@example.com",
    "sip:example.com",
    "sip:p.test;lr",
    "sip:bob@10.0.0.1",
    "tel:+4930123",
    "sip:x@elsewhere.test",
  ),
  branch: fc.constantFrom("z9hG4bK1", "z9hG4bK2", "z9hG4bK3", "z9hG4bK4", "1", "z9hG4bK"),
  from: mostly("<sip:alice@example.com>;tag=a"),
  to: mostly("<sip:bob@example.com>"),
  sequence: fc.nat(5),
  maxForwards: fc.constantFrom(null, 0, 1, 70, 70, 70),
  extra: fc.oneof(
    { weight: 2, arbitrary: fc.constant(["Contact: <sip:alice@10.0.0.1>"]) },
    { weight: 1, arbitrary: headers },
  ),
}).map(({ method, ...options }) => requestText(method, options));

type Step =
  | { readonly kind: "request"; readonly flow: number; readonly text: string }
  | { readonly kind: "damaged"; readonly flow: number; readonly text: string; readonly at: number }
  | { readonly kind: "answer"; readonly status: number; readonly contact: string }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "close"; readonly flow: number };

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("request" as const),
      flow: fc.nat(2),
      text: requests,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("damaged" as const),
      flow: fc.nat(2),
      text: requests,
      at: fc.nat(600),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("answer" as const),
      status: fc.constantFrom(100, 180, 200, 302, 401, 407, 486, 503, 603),
      contact: addresses.filter((a) => a !== ""),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(40_000) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("close" as const), flow: fc.nat(2) }) },
);

/** A proxy between three flows; `sent` holds the requests that it sent on. */
function run(script: readonly Step[]): { relayed: number; left: number[] } {
  const clock = new ManualClock();
  const proxy = new ProxyCore({
    entropy: new SeededEntropy(1),
    sentBy: "p.test:5060",
    policy: POLICY,
  });
  const sent: Extract<ProxyOutput, { type: "send" }>[] = [];
  let relayed = 0;
  const driver = new Driver<ProxyInput, ProxyOutput>(proxy, clock, (output) => {
    if (output.type !== "send" || output.message.kind !== "request") return;
    sent.push(output);
    relayed++;
  });
  const flows = [flow("f0", "UDP"), flow("f1", "TCP"), flow("f2", "WS")];
  const receive = (index: number, bytes: Uint8Array) =>
    driver.feed({ type: "receive", flow: flows[index]!, bytes });
  // Somebody is there, so that not everything ends as 404.
  for (const [index, user] of [[0, "alice"], [1, "bob"]] as const) {
    const address = `<sip:${user}@example.com>`;
    const extra = [`Contact: <sip:${user}@10.0.0.1>`];
    const branch = `z9hG4bKr${index}`;
    const uri = "sip:example.com";
    receive(
      index,
      bytesOf(requestText("REGISTER", { uri, from: address, to: address, branch, extra })),
    );
  }
  for (const step of script) {
    if (step.kind === "request") receive(step.flow, bytesOf(step.text));
    else if (step.kind === "damaged") {
      const bytes = bytesOf(step.text);
      bytes[step.at % bytes.length]! ^= 1 << (step.at % 8);
      receive(step.flow, bytes);
    } else if (step.kind === "answer") {
      const last = sent.pop();
      if (last?.message.kind !== "request") continue;
      const made = response(last.message, step.status, "x", [["Contact", step.contact]]);
      driver.feed({ type: "receive", flow: last.flow, bytes: serialize(made) });
    } else if (step.kind === "wait") clock.advance(step.ms);
    else driver.feed({ type: "flow-closed", flow: flows[step.flow]!.id });
  }
  clock.advance(4 * 3_600_000);
  for (const { id } of flows) driver.feed({ type: "flow-closed", flow: id });
  clock.advance(1);
  const left = [
    proxy.transactionCount,
    proxy.contextCount,
    proxy.bindingCount,
    proxy.contactCount,
    clock.pendingTimers,
  ];
  return { relayed, left };
}

Deno.test("hostile peers: nothing throws and nothing is left", () => {
  let relayed = 0;
  fc.assert(
    fc.property(fc.array(steps, { minLength: 5, maxLength: 40 }), (script) => {
      const result = run(script);
      relayed += result.relayed;
      assert.deepEqual(result.left, [0, 0, 0, 0, 0]);
    }),
    { numRuns: RUNS },
  );
  assert.ok(relayed > RUNS / 2, `the scripts reach the far side (${relayed} requests)`);
});
