import assert from "node:assert/strict";
import { SeededEntropy } from "../../../src/core/entropy.ts";
import { NonceStore } from "../../../src/sip/auth/mod.ts";
import { parseMessage, SipRequest } from "../../../src/sip/message/mod.ts";
import { Authenticator } from "../../../src/sip/proxy/authenticator.ts";

/** Algorithms that a registration is offered, in their order. */
function offered(transport: string, userAgent: string): string[] {
  const text =
    `REGISTER sip:lab.example SIP/2.0\r\nVia: SIP/2.0/${transport} 192.0.2.1;branch=z9hG4bKa` +
    `\r\nMax-Forwards: 70\r\nFrom: <sip:1000@lab.example>;tag=a\r\nTo: <sip:1000@lab.example>\r\n` +
    `Call-ID: a\r\nCSeq: 1 REGISTER\r\nUser-Agent: ${userAgent}\r\nContent-Length: 0\r\n\r\n`;
  const parsed = parseMessage(new TextEncoder().encode(text));
  assert(parsed.ok && parsed.value instanceof SipRequest);
  const authenticator = new Authenticator(new NonceStore(new SeededEntropy(1)));
  const proof = authenticator.prove({
    request: parsed.value,
    realm: "lab.example",
    username: null,
    account: () => undefined,
    now: 0,
  });
  assert(proof.kind === "challenge");
  return proof.values.map((value) => /algorithm=([\w-]+)/.exec(value)?.[1] ?? "");
}

Deno.test("a challenge in each algorithm, MD5 first", () => {
  for (
    const userAgent of ["Linphone/5.2", "baresip v3.12.0 (x86_64/Linux)", "baresip v4.0.0", "x"]
  ) {
    assert.deepEqual(offered("UDP", userAgent), ["MD5", "SHA-256"], userAgent);
  }
});

Deno.test("one challenge for those that a second one stops", () => {
  for (const userAgent of ["baresip v1.0.0 (x86_64/linux)", "baresip v3.9.0", "baresip v3.11.0"]) {
    assert.deepEqual(offered("TLS", userAgent), ["MD5"], userAgent);
  }
  assert.deepEqual(offered("WS", "any page"), ["MD5"]);
  assert.deepEqual(offered("WSS", "any page"), ["MD5"]);
});
