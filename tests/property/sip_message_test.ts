import assert from "node:assert/strict";
import fc from "../support/dice.ts";
import {
  createResponse,
  decodeText,
  encodeText,
  escapeUser,
  HeaderList,
  NameAddr,
  Params,
  parseMessage,
  parseUri,
  serialize,
  type SipMessage,
  SipRequest,
  SipResponse,
  SipUri,
  StreamFramer,
  unescapeUri,
  validate,
  Via,
} from "../../src/sip/message/mod.ts";

const RUNS = 20_000;
/** A failure shrinks for this long at most, ms; the seed it prints replays it. */
const interruptAfterTimeLimit = 20_000;

const token = fc.stringMatching(/^[A-Za-z0-9!%*_+`'~.-]{1,12}$/);
const text = fc.string({ unit: "grapheme", maxLength: 20 }).map((t) => t.replace(/[\r\n]/g, "x"));
const host = fc.oneof(
  fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,4}){0,2}$/),
  fc.ipV4(),
  fc.ipV6().map((ip) => `[${ip}]`),
);
const port = fc.option(fc.integer({ min: 1, max: 65535 }), { nil: undefined });
const named = fc.dictionary(
  token.map((name) => name.toLowerCase()),
  fc.option(text.filter((t) => t !== "")),
  { maxKeys: 3 },
);

const uri = fc.record({
  scheme: fc.constantFrom("sip" as const, "sips" as const),
  user: fc.option(text.filter((t) => t !== "")),
  host,
  port,
  params: named.map((values) => Params.ofUri(values)),
}).map(SipUri.of);

const address = fc.record({
  displayName: fc.option(text),
  uri,
  params: named.map((values) => Params.of(values)),
}).map(NameAddr.of);

const via = fc.record({
  transport: fc.constantFrom("UDP", "TCP", "TLS", "WS", "WSS"),
  host,
  port,
  params: token.map((branch) => Params.of({ branch: `z9hG4bK${branch}`, rport: null })),
}).map(Via.of);

const body = fc.uint8Array({ maxLength: 60 });

function headers(method: string) {
  return fc.record({
    vias: fc.array(via, { minLength: 1, maxLength: 3 }),
    from: address,
    to: address,
    callId: token,
    sequence: fc.nat(),
    contacts: fc.array(address, { maxLength: 2 }),
    others: fc.array(fc.tuple(token.map((name) => `X-${name}`), text), { maxLength: 4 }),
  }).map((h) => {
    const list = HeaderList.of(h.others);
    for (const v of h.vias.toReversed()) list.prepend("Via", `${v}`);
    list.append("From", `${h.from.withoutParam("tag").withTag("f")}`);
    list.append("t", `${h.to}`);
    list.append("Call-ID", h.callId);
    list.append("CSEQ", `${h.sequence} ${method}`);
    if (h.contacts.length > 0) list.append("m", h.contacts.join(", "));
    return list;
  });
}

const requests = token.chain((method) => fc.tuple(fc.constant(method), uri, headers(method), body))
  .map(([method, to, list, bytes]) => new SipRequest(method, `${to}`, list, bytes));

const responses = fc.tuple(
  fc.integer({ min: 100, max: 699 }),
  text,
  headers("INVITE"),
  body,
).map(([status, reason, list, bytes]) => new SipResponse(status, reason, list, bytes));

const messages: fc.Arbitrary<SipMessage> = fc.oneof(requests, responses);

function parsed(bytes: Uint8Array): SipMessage {
  const result = parseMessage(bytes);
  assert.ok(result.ok, `not parsed: ${JSON.stringify(result)}\n${decodeText(bytes)}`);
  return result.value;
}

function assertSame(a: SipMessage, b: SipMessage): void {
  assert.equal(a.kind, b.kind);
  if (a.kind === "request" && b.kind === "request") {
    assert.deepEqual([a.method, a.uri], [b.method, b.uri]);
  } else if (a.kind === "response" && b.kind === "response") {
    assert.deepEqual([a.status, a.reason], [b.status, b.reason]);
  }
  const pairs = (m: SipMessage) =>
    m.headers.entries().filter((f) => f.key !== "content-length").map((f) => [f.name, f.value]);
  assert.deepEqual(pairs(a), pairs(b));
  assert.deepEqual(a.body, b.body);
}

Deno.test("property: parsing what was serialised gives the same message, sound and stable", () => {
  fc.assert(
    fc.property(messages, (message) => {
      const bytes = serialize(message);
      const again = parsed(bytes);
      assertSame(again, message);
      const sound = validate(again);
      if (message.kind === "request") assert.ok(sound.ok, JSON.stringify(sound));
      assert.deepEqual(serialize(again), bytes);
    }),
    { numRuns: 3000, interruptAfterTimeLimit },
  );
});

Deno.test("property: typed values read back as they were written", () => {
  fc.assert(
    fc.property(address, via, (a, v) => {
      const read = NameAddr.parse(`${a}`);
      assert.ok(read.ok, `${a}: ${JSON.stringify(read)}`);
      assert.equal(read.value.displayName, a.displayName);
      assert.ok(read.value.uri.equals(a.uri) && a.uri.equals(read.value.uri));
      assert.equal(read.value.uri.user, a.uri.user);
      assert.deepEqual([...read.value.params.entries()], [...a.params.entries()]);
      assert.deepEqual([...read.value.uri.params.entries()], [...a.uri.params.entries()]);
      const seen = Via.parse(`${v}`);
      assert.ok(seen.ok);
      assert.deepEqual(
        [seen.value.transport, seen.value.host, seen.value.port, seen.value.branch],
        [v.transport, v.host, v.port, v.branch],
      );
    }),
    { numRuns: 5000, interruptAfterTimeLimit },
  );
});

Deno.test("property: any split of a stream gives the same messages", () => {
  const cuts = fc.array(fc.nat({ max: 4000 }), { maxLength: 12 });
  const pings = fc.nat({ max: 2 });
  fc.assert(
    fc.property(fc.array(fc.tuple(messages, pings), { maxLength: 4 }), cuts, (items, at) => {
      const stream = Uint8Array.from(
        items.flatMap(([m, n]) => [...encodeText("\r\n".repeat(n)), ...serialize(m)]),
      );
      const whole = new StreamFramer().push(stream);
      const framer = new StreamFramer();
      const places = [...at.map((x) => x % (stream.length + 1)), 0, stream.length];
      places.sort((a, b) => a - b);
      const pieces = places.slice(1).flatMap((end, i) =>
        framer.push(stream.subarray(places[i], end))
      );
      assert.deepEqual(pieces.map((e) => e.type), whole.map((e) => e.type));
      const found = pieces.flatMap((e) => e.type === "message" ? [e.message] : []);
      assert.equal(found.length, items.length);
      found.forEach((message, i) => assertSame(message, items[i]![0]));
      assert.equal(framer.pendingBytes, 0);
    }),
    { numRuns: 1500, interruptAfterTimeLimit },
  );
});

/** Reads everything there is to read: must not throw once `validate` said yes. */
function readAll(message: SipMessage): void {
  const { callId, cseq, from, to, vias, contacts, routes, recordRoutes, expires } = message;
  `${from}${to}${vias}${contacts}${routes}${recordRoutes}`;
  assert.ok(callId !== "" && cseq.sequence < 2 ** 31 && vias.length > 0);
  assert.ok(expires === undefined || expires >= 0);
  assert.ok(message.maxForwards === undefined || message.maxForwards < 256);
}

/** What a receiver does with bytes, down to the answer. */
function receive(bytes: Uint8Array): void {
  const result = parseMessage(bytes);
  const request = result.ok ? result.value : result.error.request;
  if (result.ok) {
    if (validate(result.value).ok) readAll(result.value);
    assert.ok(parseMessage(serialize(result.value)).ok || result.value.version !== "SIP/2.0");
  }
  if (request?.kind !== "request") return;
  const answer = parsed(serialize(createResponse(request, 400, request.uri, { toTag: "t" })));
  assert.equal(answer.kind, "response");
  // Every line of the answer is one of the request: nothing was forged into it.
  for (const field of answer.headers.entries()) {
    const allowed = ["via", "from", "to", "call-id", "cseq", "content-length"];
    assert.ok(allowed.includes(field.key), field.line);
  }
}

const TRAPS = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  '"',
  "<",
  ">",
  ";",
  ",",
  ":",
  "%",
  "\\",
  " ",
  "@",
  "=",
  "[",
];

Deno.test("property: mutated messages never throw, nor do the answers to them", () => {
  const bases = fc.sample(messages, { numRuns: 200, seed: 7 }).map(serialize);
  const mutation = fc.tuple(
    fc.nat({ max: 600 }),
    fc.nat({ max: 3 }),
    fc.oneof(fc.constantFrom(...TRAPS).map(encodeText), fc.uint8Array({ maxLength: 3 })),
  );
  fc.assert(
    fc.property(
      fc.nat({ max: bases.length - 1 }),
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      (which, mutations) => {
        let bytes = [...bases[which]!];
        for (const [at, remove, insert] of mutations) {
          bytes = bytes.toSpliced(at % (bytes.length + 1), remove, ...insert);
        }
        const mutated = Uint8Array.from(bytes);
        receive(mutated);
        new StreamFramer().push(mutated);
      },
    ),
    { numRuns: RUNS, interruptAfterTimeLimit },
  );
});

Deno.test("property: bytes of any kind survive decoding and encoding", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      assert.deepEqual(encodeText(decodeText(bytes)), bytes);
    }),
    { numRuns: RUNS, interruptAfterTimeLimit },
  );
});

Deno.test("property: any user name makes a URI that says it", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 20 }), (user) => {
      assert.equal(unescapeUri(escapeUser(user)), user);
      const made = parseUri(`${SipUri.of({ user, host: "h" })}`);
      assert.ok(made.ok && made.value.user === user);
    }),
    { numRuns: 5000, interruptAfterTimeLimit },
  );
});
