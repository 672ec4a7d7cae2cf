import assert from "node:assert/strict";
import { HELP, parseCommandLine } from "../../../src/core/config/command_line.ts";
import { editDistance, nearest } from "../../../src/core/config/nearest.ts";

function read(...args: string[]): unknown {
  const parsed = parseCommandLine(args);
  return parsed.ok ? parsed.value : parsed.error.map(({ text }) => text);
}

Deno.test("command line: values stand after a blank or an equals sign", () => {
  const expected = { request: "start", configFile: "a.jsonc", host: "::", workers: "2" };
  assert.deepEqual(read("--config", "a.jsonc", "--host=::", "--workers", "2"), expected);
  assert.deepEqual(read("--", "--config=a.jsonc", "--host", "::", "--workers=2"), expected);
});

Deno.test("command line: --host without an address means all", () => {
  const expected = { request: "start", host: "0.0.0.0" };
  assert.deepEqual(read("--host"), expected);
  assert.deepEqual(read("--host", "--workers", "2"), { ...expected, workers: "2" });
  assert.deepEqual(read("--host", "192.0.2.1"), { request: "start", host: "192.0.2.1" });
});

Deno.test("command line: help wins over what else is asked for", () => {
  assert.deepEqual(read("--version", "--help", "--check-config"), { request: "help" });
  assert.deepEqual(read("-h"), { request: "help" });
  assert.deepEqual(read("--check-config"), { request: "check" });
});

Deno.test("command line: what is not known is refused in one sentence that names the nearest", () => {
  assert.deepEqual(read("--hots"), ["unknown option --hots: did you mean --host?"]);
  assert.deepEqual(read("--conf=x"), ["unknown option --conf: did you mean --config?"]);
  assert.deepEqual(read("--verbose", "x"), ["unknown option --verbose: see --help"]);
  assert.deepEqual(read("__proto__"), [
    'unexpected argument "__proto__": expected options, see --help',
  ]);
  assert.deepEqual(read("--config"), ["--config needs a file after it"]);
  assert.deepEqual(read("--workers="), ["--workers needs a number after it"]);
  assert.deepEqual(read("--help=x"), ["--help takes no value"]);
});

Deno.test("command line: an option that is a key's name leads to the key and its variable", () => {
  const expected = "expected a key of a --config file, or the variable: ";
  const ports = "http.port (PORTZERO_HTTP_PORT), sip.port (PORTZERO_SIP_PORT)";
  assert.deepEqual(read("--port", "9090"), [`unknown option --port: ${expected}${ports}`]);
  assert.deepEqual(read("--port=9090", "--hots"), [
    `unknown option --port: ${expected}${ports}`,
    "unknown option --hots: did you mean --host?",
  ]);
  const level = "log.level (PORTZERO_LOG_LEVEL)";
  for (const name of ["--log-level", "--logLevel", "--log.level", "--level"]) {
    assert.deepEqual(read(name, "debug"), [`unknown option ${name}: ${expected}${level}`]);
  }
});

Deno.test("command line: every option that is read is in the help", () => {
  for (
    const name of ["config", "properties", "host", "workers", "check-config", "version", "help"]
  ) {
    assert.ok(HELP.includes(`--${name}`), name);
  }
});

Deno.test("nearest: edits count once each, a swap of neighbours too", () => {
  assert.equal(editDistance("", "abc"), 3);
  assert.equal(editDistance("prot", "port"), 1);
  assert.equal(editDistance("Port", "port"), 0);
  assert.equal(editDistance("kitten", "sitting"), 3);
  assert.equal(
    nearest("portfrom", ["media.portTo", "media.portFrom", "http.port"]),
    "media.portFrom",
  );
});

Deno.test("command line: --no-ffi stands by itself", () => {
  assert.deepEqual(read("--no-ffi", "--workers", "2"), {
    request: "start",
    workers: "2",
    ffi: "off",
  });
  assert.deepEqual(read("--no-ffi=yes"), ["--no-ffi takes no value"]);
  assert.deepEqual(read("--no-fi"), ["unknown option --no-fi: did you mean --no-ffi?"]);
});
