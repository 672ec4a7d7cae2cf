/**
 * RFC 4475: each of its messages against the parser and running elements, over datagrams and
 * streams.
 */
import assert from "node:assert/strict";
import { parseMessage, type SipRequest, type SipResponse } from "../../src/sip/message/mod.ts";
import { askAgent, askProxy } from "./elements.ts";
import { type Outcome, type Row, ROWS } from "./rows.ts";
import { OWN, SOURCES } from "./sources.ts";

function expected(outcome: Outcome): Outcome[] {
  return outcome === "silent" ? [] : [outcome];
}

function expectedOnStream(row: Row): Outcome[] {
  if (row.stream === "waits") return [];
  return [...row.stream ?? expected(row.proxy)];
}

Deno.test("every row of the RFC has a message of our own", () => {
  assert.equal(ROWS.length, 50);
  assert.deepEqual(Object.keys(OWN).sort(), ROWS.map(({ name }) => name).sort());
});

for (const source of SOURCES) {
  for (const row of ROWS) {
    Deno.test(`torture ${row.section} ${row.name} (${source.name})`, () => {
      const bytes = source.read(row);
      const accounts = row.accounts ?? false;
      const datagram = askProxy(bytes, "UDP", accounts);
      assert.deepEqual(datagram.outcomes, expected(row.proxy), "proxy, datagram");
      assert.ok(datagram.isWell, "the proxy works on");
      const stream = askProxy(bytes, "TCP", accounts);
      assert.deepEqual(stream.outcomes, expectedOnStream(row), "proxy, stream");
      assert.ok(stream.isWell, "the proxy works on after a stream");
      if (row.agent) assert.deepEqual(askAgent(bytes), row.agent, "user agent");
    });
  }

  const heard = (name: string) => {
    const row = ROWS.find((r) => r.name === name)!;
    const bytes = source.read(row);
    return { bytes, ...askProxy(bytes, "UDP", row.accounts ?? false) };
  };

  Deno.test(`what is forwarded is what came, but for the proxy's own headers (${source.name})`, () => {
    // Every host is the proxy's here, so every route comes off.
    const changed = new Set(["via", "max-forwards", "record-route", "max-breadth", "route"]);
    for (const row of ROWS) {
      const { bytes, forwarded } = heard(row.name);
      const [request] = forwarded;
      if (!request) continue;
      const received = parseMessage(bytes);
      assert.ok(received.ok, row.name);
      const fields = ({ headers }: SipRequest | SipResponse) =>
        headers.entries().filter((f) => !changed.has(f.key)).map((f) => f.line);
      assert.deepEqual(fields(request).sort(), fields(received.value).sort(), row.name);
      assert.deepEqual(request.body, received.value.body, row.name);
    }
  });

  Deno.test(`bindings keep what registers them (${source.name})`, () => {
    const contacts = (name: string) =>
      (heard(name).answers[0] as SipResponse).headers.getAll("Contact")
        .map((value) => value.replace(/;expires=\d+$/, ""));
    assert.equal(contacts("escnull").length, 2);
    assert.match(contacts("escnull").join(), /sip:%00@.*sip:%00%00@/);
    assert.match(contacts("cparam01")[0]!, /^<sip:[^;]+>;unknownparam$/);
    assert.match(contacts("cparam02")[0]!, /^<sip:[^;]+;unknownparam>$/);
    assert.match(contacts("regescrt")[0]!, /\?Route=%3C/);
  });

  Deno.test(`answers name what is wrong (${source.name})`, () => {
    const header = (name: string, field: string) =>
      (heard(name).answers[0] as SipResponse).headers.getAll(field).join(", ");
    assert.match(header("bext01", "Unsupported"), /noProxiesSupportThis/);
    assert.match(header("regaut01", "WWW-Authenticate"), /^Digest /);
    assert.match((heard("insuf").answers[0] as SipResponse).reason, /From, To, Call-ID/);
  });

  Deno.test(`a stream that lost its frame is closed after the answer (${source.name})`, () => {
    for (const name of ["ncl", "mcl01"]) {
      const bytes = source.read(ROWS.find((row) => row.name === name)!);
      assert.equal(askProxy(bytes, "TCP", false).isOpen, false, name);
    }
  });
}
