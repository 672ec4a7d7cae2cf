import assert from "node:assert/strict";
import { makeCertificate } from "../../src/rtp/io/dtls_certificate.ts";
import { chooseDtls } from "../../src/rtp/io/ffi/dtls_check.ts";
import { type Libssl, openLibssl } from "../../src/rtp/io/ffi/libssl.ts";
import { hasLibssl } from "../support/libssl.ts";
import { startPool } from "../support/media_legs.ts";

/** Which library does the DTLS handshakes: OpenSSL only where it has shown that it can. */

const ignore = !hasLibssl();

const own = await makeCertificate();

Deno.test({ name: "DTLS: OpenSSL is taken where its test handshake passes", ignore }, () => {
  const choice = chooseDtls(null, own);
  assert.deepEqual(choice, { isOpenssl: true, text: "OpenSSL (its test handshake passed)" });
});

Deno.test("DTLS: without FFI, and where libssl is missing, werift is taken and says why", () => {
  assert.deepEqual(chooseDtls("it is off", own), { isOpenssl: false, text: "werift (it is off)" });
  const { isOpenssl, text } = chooseDtls(
    null,
    own,
    () => Deno.dlopen("libssl.so.of-nowhere", {}).symbols as never,
  );
  assert.equal(isOpenssl, false);
  assert.match(text, /^werift \(.*libssl\.so\.of-nowhere/);
});

/** One function of the library does something else, and what is said of it. */
const WRONG: readonly (readonly [name: string, says: RegExp, played: () => Partial<Libssl>])[] = [
  ["it gives no context", /no context/, () => ({ SSL_CTX_new: () => 0n })],
  ["it has no DTLS 1.2", /no DTLS 1\.2/, () => ({ SSL_CTX_ctrl: () => 0n })],
  ["it takes no SRTP profile", /SRTP profiles/, () => ({ SSL_CTX_set_tlsext_use_srtp: () => 1 })],
  ["the handshake stands still", /came to no end/, () => ({ SSL_do_handshake: () => -1 })],
  ["no certificate is shown", /another certificate/, () => ({
    SSL_get1_peer_certificate: () => 0n,
  })],
  ["it exports no keys", /wrong keys for profile 7/, () => ({
    SSL_export_keying_material: () => 0,
  })],
  ["keys differ on the two sides", /wrong keys for profile 7/, () => {
    const { SSL_export_keying_material } = openLibssl();
    let calls = 0;
    return {
      SSL_export_keying_material: (ssl, out, ...rest) => {
        const result = SSL_export_keying_material(ssl, out, ...rest);
        (out as Uint8Array)[0]! ^= ++calls;
        return result;
      },
    };
  }],
  ["its random numbers cannot be had", /the end .* was not understood/, () => ({
    SSL_get_client_random: () => 0n,
  })],
];

for (const [name, says, played] of WRONG) {
  Deno.test({ name: `DTLS: OpenSSL is not as expected, ${name}: werift`, ignore }, () => {
    const { isOpenssl, text } = chooseDtls(null, own, () => ({ ...openLibssl(), ...played() }));
    assert.equal(isOpenssl, false);
    assert.match(text, /^werift \(/);
    assert.match(text, says);
  });
}

Deno.test(
  { name: "DTLS: another certificate than that of the check: werift", ignore },
  () => {
    const fingerprint = Array(32).fill("AB").join(":");
    assert.match(chooseDtls(null, { ...own, fingerprint }).text, /^werift \(.*another certificate/);
  },
);

for (const ffi of [true, false]) {
  Deno.test({
    name: `DTLS: the pool says which library does it, ${ffi ? "with" : "without"} FFI`,
    ignore: ffi && ignore,
  }, async () => {
    const told: string[] = [];
    const pool = await startPool(1, { ffi, log: (_, text) => told.push(text) });
    await pool.close();
    const lines = told.filter((text) => text.startsWith("DTLS handshakes by "));
    assert.deepEqual(lines, [
      ffi
        ? "DTLS handshakes by OpenSSL (its test handshake passed)"
        : "DTLS handshakes by werift (media.ffi is off)",
    ]);
  });
}
