import assert from "node:assert/strict";
import type { LogFields } from "../../../src/core/log.ts";
import { type LoggingOptions, setUpLogging } from "../../../src/core/io/logging.ts";
import { redactFields } from "../../../src/core/io/redact.ts";

function lines(
  options: Partial<LoggingOptions>,
  use: (log: ReturnType<ReturnType<typeof setUpLogging>["log"]>) => void,
): string[] {
  const written: string[] = [];
  const write = (line: string) => void written.push(line);
  const system = setUpLogging({ level: "info", format: "json", ...options, write });
  try {
    use(system.log("sip"));
    return written;
  } finally {
    system.close();
  }
}

const withoutTime = (line: string) => line.replace(/^\S+ /, "");

Deno.test("log: one JSON object a line, from the level on, braces untouched", () => {
  const written = lines({}, (log) => {
    log.debug("not this");
    log.info("a {b} c", { callId: "1", level: "mine" });
    log.warn("two\nlines");
  });
  const [first, second] = written.map((line) => JSON.parse(line));
  assert.equal(written.length, 2);
  assert.ok(written.every((line) => line.endsWith("\n") && line.indexOf("\n") === line.length - 1));
  assert.match(first.time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  delete first.time;
  const expected = { level: "info", part: "sip", message: "a {b} c", callId: "1", level_: "mine" };
  assert.deepEqual(first, expected);
  assert.equal(second.level, "warn");
  assert.equal(second.message, "two\nlines");
});

Deno.test("log: text lines cannot be forged by what they quote", () => {
  const written = lines({ format: "text" }, (log) => {
    log.info("hello", { user: "eve\n2026 error sip: all is lost", n: 3, o: { a: [1] } });
    log.error("esc \u001b[31m", { error: new TypeError("bad") });
  });
  assert.equal(
    withoutTime(written[0]!),
    'info  sip: hello user="eve\\n2026 error sip: all is lost" n=3 o={"a":[1]}\n',
  );
  const [head, ...trace] = written[1]!.trimEnd().split("\n");
  assert.equal(withoutTime(head!), 'error sip: esc \\u001b[31m error="TypeError: bad"');
  assert.ok(trace.length > 0 && trace.every((line) => line.startsWith("    at ")), written[1]);
});

Deno.test("log: each level lets through itself and what is graver", () => {
  const levels = ["debug", "info", "warn", "error"] as const;
  for (const [i, level] of levels.entries()) {
    const written = lines({ level }, (log) => levels.forEach((each) => log[each](each)));
    assert.deepEqual(written.map((line) => JSON.parse(line).level), levels.slice(i));
  }
});

Deno.test("log: secrets are masked by name, at any depth", () => {
  const fields: LogFields = {
    password: "p",
    authToken: "t",
    Authorization: "Digest x",
    nested: { sipPassword: "q", list: [{ operatorToken: "r", fine: 1 }] },
    sdp: "v=0",
    icePwd: "x",
    token: "",
    codec: "opus",
  };
  assert.deepEqual(redactFields(fields), {
    password: "***",
    authToken: "***",
    Authorization: "***",
    nested: { sipPassword: "***", list: [{ operatorToken: "***", fine: 1 }] },
    sdp: "***",
    icePwd: "***",
    token: "",
    codec: "opus",
  });
});

Deno.test("log: telephone numbers of people keep their end, other numbers all of it", () => {
  const masked = redactFields({
    caller: "sip:+4930123456789@example.org",
    callee: "1000",
    to: "sip:04930123456:1234567@[2001:db8::1234]",
    login: "alice",
    from: "192.168.100.200",
    packets: 12345678,
    sipCallId: "1234567890",
  });
  assert.deepEqual(masked, {
    caller: "sip:***789@example.org",
    callee: "1000",
    to: "sip:***456:***567@[2001:db8::1234]",
    login: "alice",
    from: "192.168.100.200",
    packets: 12345678,
    sipCallId: "1234567890",
  });
});

Deno.test("log: anything can be a field: errors with causes, bytes, circles, bigints", () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  const error = new Error("outer", { cause: new Error("inner") });
  const text = JSON.stringify(redactFields({
    circle,
    error,
    bytes: new Uint8Array(3),
    big: 5n,
    f: () => 1,
    none: undefined,
    nothing: null,
  }));
  assert.match(text, /"message":"outer".*"message":"inner"/);
  assert.match(text, /"bytes":"\[3 bytes\]","big":"5","f":"function","nothing":null/);
});
