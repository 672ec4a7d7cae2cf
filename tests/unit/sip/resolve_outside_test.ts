import assert from "node:assert/strict";
import { SeededEntropy } from "../../../src/core/entropy.ts";
import { ManualClock } from "../../../src/core/manual_clock.ts";
import { err, ok } from "../../../src/core/result.ts";
import { Driver } from "../../../src/core/sans_io.ts";
import {
  createResponse,
  type SipMessage,
  SipRequest,
  SipResponse,
} from "../../../src/sip/message/mod.ts";
import { ProxyCore, type ProxyInput, type ProxyOutput } from "../../../src/sip/proxy/proxy.ts";
import type { Target } from "../../../src/sip/resolve/target.ts";
import { serialize } from "../../../src/sip/message/mod.ts";
import { bytesOf, flow, type RequestOptions, requestText } from "../../support/sip_fixtures.ts";

/** The proxy on its way to places outside (RFC 3263 4.3), the network played by the test. */

const CALLER = flow("caller", "TCP");
const OUTSIDE = "sip:+4930123@carrier.example";

class Outside {
  readonly clock = new ManualClock();
  readonly proxy: ProxyCore;
  readonly outputs: ProxyOutput[] = [];
  readonly #driver: Driver<ProxyInput, ProxyOutput>;
  readonly asked: string[] = [];

  constructor(mayRelay: boolean | null = true) {
    this.proxy = new ProxyCore({
      entropy: new SeededEntropy(3),
      sentBy: "proxy.test:5060",
      policy: {
        isOurs: (host) => host === "proxy.test" || host === "example.com",
        canonicalDomain: "example.com",
        authorize: () => ({ kind: "allow", identity: "alice" }),
        account: () => undefined,
        hasAccount: () => false,
        ...(mayRelay === null ? {} : {
          mayRelay: (request, uri, identity) => {
            this.asked.push(`${request.method} ${uri} ${identity}`);
            return mayRelay;
          },
        }),
      },
    });
    this.#driver = new Driver(this.proxy, this.clock, (output) => this.outputs.push(output));
  }

  ask(method: string, options: RequestOptions = {}): void {
    this.receive(bytesOf(requestText(method, { uri: OUTSIDE, ...options })), CALLER);
  }

  receive(bytes: Uint8Array, from = CALLER): void {
    this.#driver.feed({ type: "receive", flow: from, bytes });
  }

  feed(input: ProxyInput): void {
    this.#driver.feed(input);
  }

  resolve(targets: readonly Target[]): void {
    this.feed({ type: "resolved", id: this.last("resolve").id, result: ok(targets) });
  }

  connect(name: string, transport: "UDP" | "TCP" = "TCP"): void {
    const { id } = this.last("connect");
    this.feed({ type: "connected", id, result: ok(flow(name, transport)) });
  }

  refuseConnection(): void {
    this.feed({ type: "connected", id: this.last("connect").id, result: err("refused") });
  }

  last<T extends ProxyOutput["type"]>(type: T): Extract<ProxyOutput, { type: T }> {
    const found = this.outputs.findLast((output) => output.type === type);
    assert(found, `no ${type} in ${this.outputs.map((output) => output.type)}`);
    return found as Extract<ProxyOutput, { type: T }>;
  }

  sentOn(name: string): SipMessage[] {
    return this.outputs.flatMap((output) =>
      output.type === "send" && output.flow.id === name ? [output.message] : []
    );
  }

  get answers(): number[] {
    return this.sentOn("caller").flatMap((message) =>
      message instanceof SipResponse ? [message.status] : []
    );
  }

  /** Answers the last request that went out on this flow. */
  respond(name: string, status: number): void {
    const request = this.sentOn(name).findLast((message) =>
      message instanceof SipRequest && message.method !== "ACK" && message.method !== "CANCEL"
    );
    assert(request instanceof SipRequest, `nothing was sent on ${name}`);
    const response = createResponse(request, status, undefined, { toTag: "far" });
    this.receive(serialize(response), flow(name, "TCP"));
  }

  /** Lets all timers run out; nothing is to be left. */
  finish(): void {
    this.clock.advance(4 * 3_600_000);
    assert.equal(this.proxy.transactionCount, 0);
    assert.equal(this.proxy.contextCount, 0);
  }
}

const target = (host: string, transport: Target["transport"] = "TCP"): Target => ({
  transport,
  host,
  port: 5060,
  name: "carrier.example",
});
const targetOf = ({ target }: Extract<ProxyOutput, { type: "connect" }>) =>
  `${target.transport} ${target.host}`;

Deno.test("outside: nothing leaves where the policy does not say so", () => {
  for (const mayRelay of [null, false]) {
    const world = new Outside(mayRelay);
    world.ask("INVITE");
    world.ask("MESSAGE", { branch: "z9hG4bK2", callId: "other" });
    assert.deepEqual(world.answers.filter((status) => status >= 200), [403, 403]);
    assert.ok(!world.outputs.some(({ type }) => type === "resolve"));
  }
});

Deno.test("outside: looked up, connected, sent, and the answer comes back", () => {
  const world = new Outside();
  world.ask("INVITE");
  assert.deepEqual(world.asked, [`INVITE ${OUTSIDE} alice`]);
  assert.deepEqual(world.answers, [100], "a lookup may take long");
  assert.equal(world.last("resolve").uri.toString(), OUTSIDE);
  world.resolve([target("192.0.2.1")]);
  assert.equal(targetOf(world.last("connect")), "TCP 192.0.2.1");
  world.connect("far");
  const [invite] = world.sentOn("far");
  assert(invite instanceof SipRequest);
  assert.equal(invite.uri, OUTSIDE);
  assert.equal(invite.vias.length, 2);
  world.respond("far", 180);
  world.respond("far", 404);
  assert.deepEqual(world.answers, [100, 180, 404]);
  world.finish();
});

Deno.test("outside: a route says where to ask, and stays; the Request-URI is kept", () => {
  const world = new Outside();
  world.ask("MESSAGE", { extra: ["Route: <sip:edge.example;lr>"] });
  assert.equal(world.last("resolve").uri.toString(), "sip:edge.example;lr");
  world.resolve([target("192.0.2.1")]);
  world.connect("far");
  const [message] = world.sentOn("far");
  assert(message instanceof SipRequest);
  assert.equal(message.uri, OUTSIDE);
  assert.deepEqual(message.headers.getAll("Route"), ["<sip:edge.example;lr>"]);
});

Deno.test("outside: refused connection, 503, silence: each goes to the next target", () => {
  const world = new Outside();
  world.ask("INVITE");
  world.resolve(["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"].map((host) => target(host)));
  world.refuseConnection();
  assert.equal(targetOf(world.last("connect")), "TCP 192.0.2.2");
  world.connect("second");
  world.respond("second", 503);
  assert.ok(
    world.sentOn("second").some((m) => m instanceof SipRequest && m.method === "ACK"),
    "a 503 gets its ACK",
  );
  assert.equal(targetOf(world.last("connect")), "TCP 192.0.2.3");
  world.connect("third");
  world.clock.advance(32_500);
  assert.equal(targetOf(world.last("connect")), "TCP 192.0.2.4");
  world.connect("fourth");
  world.respond("fourth", 200);
  assert.deepEqual(world.answers, [100, 200]);
  const branches = ["second", "third", "fourth"].map((name) =>
    world.sentOn(name)[0]!.topVia.branch
  );
  assert.equal(new Set(branches).size, 3, "each attempt is a transaction of its own");
  world.finish();
});

Deno.test("outside: a flow that closes under a request goes to the next target too", () => {
  const world = new Outside();
  world.ask("MESSAGE");
  world.resolve([target("192.0.2.1"), target("192.0.2.2")]);
  world.connect("first");
  world.feed({ type: "flow-closed", flow: flow("first", "TCP").id });
  world.connect("second");
  world.respond("second", 200);
  assert.deepEqual(world.answers, [200]);
  world.finish();
});

Deno.test("outside: an answer is an answer: 486 and 404 are not tried elsewhere", () => {
  for (const status of [404, 486, 600]) {
    const world = new Outside();
    world.ask("INVITE");
    world.resolve([target("192.0.2.1"), target("192.0.2.2")]);
    world.connect("first");
    world.respond("first", status);
    assert.deepEqual(world.answers, [100, status]);
    assert.equal(world.outputs.filter(({ type }) => type === "connect").length, 1);
    world.finish();
  }
});

Deno.test("outside: no address and no connection end the request", () => {
  const unknown = new Outside();
  unknown.ask("INVITE");
  unknown.feed({ type: "resolved", id: unknown.last("resolve").id, result: err("no address") });
  assert.deepEqual(unknown.answers, [100, 480]);
  unknown.finish();
  const deaf = new Outside();
  deaf.ask("MESSAGE");
  deaf.resolve([target("192.0.2.1")]);
  deaf.refuseConnection();
  assert.deepEqual(deaf.answers, [480]);
  deaf.finish();
});

Deno.test("outside: CANCEL before the lookup, before the connection, and after", () => {
  const stages: readonly ((world: Outside) => void)[] = [
    () => {},
    (world) => world.resolve([target("192.0.2.1"), target("192.0.2.2")]),
    (world) => {
      world.resolve([target("192.0.2.1"), target("192.0.2.2")]);
      world.connect("first");
      world.respond("first", 180);
    },
  ];
  stages.forEach((reach, stage) => {
    const world = new Outside();
    world.ask("INVITE");
    reach(world);
    world.ask("CANCEL");
    if (stage === 2) {
      const sent = world.sentOn("first").map((m) => m instanceof SipRequest ? m.method : "");
      assert.deepEqual(sent, ["INVITE", "CANCEL"]);
      world.respond("first", 487);
    }
    assert.deepEqual(world.answers.filter((status) => status >= 200), [200, 487], `stage ${stage}`);
    // What was asked for before comes too late.
    if (stage === 0) world.resolve([target("192.0.2.1")]);
    if (stage === 1) world.connect("late");
    assert.equal(world.sentOn("late").length, 0);
    world.finish();
  });
});

Deno.test("outside: a large request is offered by TCP first, by UDP where nobody listens", () => {
  const world = new Outside();
  world.ask("MESSAGE", { body: "x".repeat(1_200) });
  world.resolve([target("192.0.2.1", "UDP")]);
  assert.equal(targetOf(world.last("connect")), "TCP 192.0.2.1");
  world.refuseConnection();
  assert.equal(targetOf(world.last("connect")), "UDP 192.0.2.1");
});
