import assert from "node:assert/strict";
import {
  decodeText,
  encodeText,
  type FramerEvent,
  MAX_HEAD_BYTES,
  StreamFramer,
} from "../../../src/sip/message/mod.ts";
import { lines, wire } from "./message_support.ts";

const message = (body: string) => wire(lines({ "Content-Length": `${body.length}` }), body);

function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function tell(events: FramerEvent[]): string[] {
  return events.map((e) =>
    e.type === "message"
      ? `message ${decodeText(e.message.body)}`
      : e.type === "fault"
      ? `fault ${e.fault.status}`
      : e.type
  );
}

Deno.test("framer: several messages in one push, one message in single bytes", () => {
  const stream = concat(message("one"), message(""), message("two\r\n\r\n"));
  const expected = ["message one", "message ", "message two\r\n\r\n"];
  assert.deepEqual(tell(new StreamFramer().push(stream)), expected);
  const framer = new StreamFramer();
  const events = [...stream].flatMap((byte) => framer.push(new Uint8Array([byte])));
  assert.deepEqual(tell(events), expected);
  assert.ok(!framer.isMidMessage && framer.pendingBytes === 0);
});

Deno.test("framer: keep-alives between messages", () => {
  const framer = new StreamFramer();
  assert.deepEqual(tell(framer.push(encodeText("\r\n\r\n"))), ["pong", "ping"]);
  assert.deepEqual(tell(framer.push(encodeText("\r\n"))), ["pong"]);
  assert.deepEqual(tell(framer.push(encodeText("\r"))), []);
  assert.deepEqual(tell(framer.push(encodeText("\n"))), ["ping"]);
  assert.deepEqual(tell(framer.push(message("x"))), ["message x"]);
  assert.deepEqual(tell(framer.push(encodeText("\r\n"))), ["pong"]);
  assert.deepEqual(tell(framer.push(message("y"))), ["message y"]);
  assert.deepEqual(tell(framer.push(encodeText("\r\n"))), ["pong"]);
});

Deno.test("framer: a message without Content-Length has no body", () => {
  const events = new StreamFramer().push(concat(wire(lines()), message("next")));
  assert.deepEqual(tell(events), ["message ", "message next"]);
});

Deno.test("framer: a body is not shared with the buffer", () => {
  const framer = new StreamFramer();
  const [first] = framer.push(message("first"));
  framer.push(message("other"));
  assert.equal(first?.type === "message" && decodeText(first.message.body), "first");
});

Deno.test("framer: where framing is lost it says so once and reads no further", () => {
  const table: [string, Uint8Array, number][] = [
    ["negative length", wire(lines({ "Content-Length": "-999" })), 400],
    ["two lengths", wire([...lines({ "Content-Length": "13" }), "l: 5"]), 400],
    ["huge body", wire(lines({ "Content-Length": "4000000000" })), 413],
    ["no SIP", encodeText("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 400],
    ["endless head", encodeText("X".repeat(MAX_HEAD_BYTES + 1)), 513],
    ["lone CR", encodeText("\rINVITE"), 400],
  ];
  for (const [what, bytes, status] of table) {
    const framer = new StreamFramer();
    const events = framer.push(concat(message("ok"), bytes, message("never")));
    assert.deepEqual(tell(events), ["message ok", `fault ${status}`], what);
    assert.ok(framer.failed);
    assert.deepEqual(framer.push(message("never")), []);
  }
});

Deno.test("framer: tells a slow sender from an idle one", () => {
  const framer = new StreamFramer();
  const bytes = message("abc");
  framer.push(bytes.subarray(0, 10));
  assert.ok(framer.isMidMessage);
  framer.push(bytes.subarray(10, bytes.length - 1));
  assert.ok(framer.isMidMessage);
  framer.push(bytes.subarray(bytes.length - 1));
  assert.ok(!framer.isMidMessage);
});

Deno.test("framer: ten thousand small pushes of one large message stay cheap", () => {
  const framer = new StreamFramer();
  const bytes = message("y".repeat(60_000));
  let events = 0;
  for (let at = 0; at < bytes.length; at += 6) {
    events += framer.push(bytes.subarray(at, at + 6)).length;
  }
  assert.equal(events, 1);
});
