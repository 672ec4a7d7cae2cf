import assert from "node:assert/strict";
import fc from "../../support/dice.ts";
import { createAccessRules, hostName, isLoopbackName } from "../../../src/rest/access.ts";
import { plainPath } from "../../../src/rest/static_routes.ts";

Deno.test("hostName takes the name out of an authority, whatever its form", () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["localhost:8080", "localhost"],
    ["LOCALHOST.", "localhost"],
    ["[::1]:8443", "::1"],
    ["::1", "::1"],
    ["fe80::1", "fe80::1"],
    ["127.1", "127.0.0.1"],
    ["0x7f.0.0.1", "127.0.0.1"],
    ["user@localhost", undefined],
    ["localhost/path", undefined],
    ["localhost#", undefined],
    ["localhost:port", undefined],
    ["local host", undefined],
    ["", undefined],
    ["[::1", undefined],
  ];
  for (const [authority, expected] of cases) assert.equal(hostName(authority), expected, authority);
});

Deno.test("loopback is what the operating system never routes elsewhere", () => {
  for (const name of ["localhost", "a.localhost", "127.0.0.1", "127.255.0.9", "::1"]) {
    assert.ok(isLoopbackName(name), name);
  }
  for (
    const name of ["localhost.evil.example", "evil-localhost", "128.0.0.1", "127.0.0.1.a", "::2"]
  ) {
    assert.ok(!isLoopbackName(name), name);
  }
});

Deno.test("origins: same host, loopback and configured ones, of the web's schemes", () => {
  const rules = createAccessRules(["192.0.2.7"], ["https://app.example.org", "null"]);
  const allowed = [
    ...["https://192.0.2.7:8443", "http://192.0.2.7", "http://localhost:3000", "http://[::1]"],
    ...["https://app.example.org", "https://app.example.org:443", "null"],
  ];
  for (const origin of allowed) assert.ok(rules.isOriginAllowed(origin, "192.0.2.7"), origin);
  const foreign = [
    ...["https://app.example.org:444", "http://app.example.org", "https://192.0.2.8", "file://"],
    ...["chrome-extension://192.0.2.7", "https://evil.example", "", "localhost", "javascript:1"],
  ];
  for (const origin of foreign) assert.ok(!rules.isOriginAllowed(origin, "192.0.2.7"), origin);
  assert.ok(!createAccessRules([], []).isOriginAllowed("null", "localhost"));
});

Deno.test("any text is a host or none, and only configured hosts pass", () => {
  const rules = createAccessRules(["pbx.example.org"], []);
  fc.assert(fc.property(fc.string(), (text) => {
    const host = hostName(text);
    if (host === undefined || isLoopbackName(host) || host === "pbx.example.org") return;
    assert.ok(!rules.isHostAllowed(host));
    assert.ok(!rules.isOriginAllowed(text, "pbx.example.org") || /^https?:/i.test(text.trim()));
  }));
});

Deno.test("plainPath gives a relative path without any way up, or nothing", () => {
  const piece = fc.oneof(
    fc.constantFrom("..", ".", "%2e%2e", "%2E.", "%2f", "%5c", "%00", "%252e", "a.js", "b c", "é"),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const path = plainPath(`/${pieces.join("/")}`);
      if (path === undefined) return;
      assert.doesNotMatch(path, /(?:^|\/)\.|\\|\0/);
    }),
    { numRuns: 2000 },
  );
  assert.equal(plainPath("/examples/a%20b.html"), "examples/a b.html");
});
