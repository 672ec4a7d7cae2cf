import assert from "node:assert/strict";
import type { Certificate } from "../../src/rtp/contract.ts";
import { type DtlsConnection, DtlsContext } from "../../src/rtp/io/ffi/dtls_context.ts";
import { DTLS_CTRL_GET_TIMEOUT, DTLS_CTRL_HANDLE_TIMEOUT } from "../../src/rtp/io/ffi/libssl.ts";
import { OpensslHandshake } from "../../src/rtp/io/ffi/openssl_handshake.ts";
import type { HandshakeReport } from "../../src/rtp/io/association.ts";
import { makeCertificate } from "../../src/rtp/io/dtls_certificate.ts";
import { hasLibssl } from "../support/libssl.ts";

/** What an association of OpenSSL can still do once the library's part of it has been freed. */

const SUITES = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
];
const MAX_TURNS = 20;

/** Our side, and a client of the library beside it. */
class Pair {
  readonly reports: HandshakeReport[] = [];
  readonly server: OpensslHandshake;
  readonly client: DtlsConnection;
  readonly #contexts: readonly DtlsContext[];
  /** The server's clock, ms. */
  now = 0;

  constructor(own: Certificate, suite: string) {
    this.#contexts = [
      new DtlsContext(own, [1]),
      new DtlsContext(own, [1], "client", suite),
    ];
    this.server = new OpensslHandshake(
      1,
      this.#contexts[0]!,
      (event) => this.reports.push(event),
      () => this.now,
    );
    this.server.setFingerprints([{ algorithm: "sha-256", value: own.fingerprint }]);
    this.client = this.#contexts[1]!.connection("client");
  }

  get states(): string[] {
    return this.reports.flatMap((event) => event.type === "dtls" ? [event.state] : []);
  }

  /** Takes what our side has sent since. */
  sent(): Uint8Array[] {
    const found = this.reports.flatMap((event) => event.type === "dtls-send" ? [event.data] : []);
    this.reports.splice(0, Infinity, ...this.reports.filter(({ type }) => type !== "dtls-send"));
    return found;
  }

  /** The client's side until both are up; our last flight is left to be taken. */
  shake(): void {
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      this.client.library.SSL_do_handshake(this.client.ssl);
      for (const datagram of this.client.takeDatagrams()) this.server.receive(datagram);
      if (this.states.includes("connected")) return;
      for (const datagram of this.sent()) this.client.write(datagram);
    }
    assert.fail(`the handshake came to no end: ${this.states.join(", ")}`);
  }

  [Symbol.dispose](): void {
    this.server.close();
    this.client.free();
    for (const context of this.#contexts) context.free();
  }
}

for (const suite of SUITES) {
  const name =
    `DTLS, ${suite}: the client's end is understood without the library, forgeries are not`;
  Deno.test({ name, ignore: !hasLibssl() }, async () => {
    using pair = new Pair(await makeCertificate(), suite);
    const { client, server } = pair;
    pair.shake();
    for (const datagram of pair.sent()) client.write(datagram);
    assert.equal(client.library.SSL_do_handshake(client.ssl), 1);
    client.library.SSL_shutdown(client.ssl);
    const [farewell] = client.takeDatagrams();
    assert.ok(farewell);
    for (const at of [5, 13, farewell.length - 1]) {
      const forged = farewell.slice();
      forged[at]! ^= 1;
      server.receive(forged);
    }
    assert.deepEqual(pair.states, ["handshaking", "connected"]);
    server.receive(farewell);
    assert.deepEqual(pair.states, ["handshaking", "connected", "closed"]);
  });
}

Deno.test({
  name:
    "DTLS: our last flight was lost; it comes again when the client's does, and for nobody else",
  ignore: !hasLibssl(),
}, async () => {
  using pair = new Pair(await makeCertificate(), SUITES[0]!);
  const { client, server } = pair;
  pair.shake();
  pair.sent();
  const { library, ssl } = client;
  // The library repeats its flight when its own time is up: it says when that is.
  const left = new BigInt64Array(2);
  assert.equal(
    library.SSL_ctrl(ssl, DTLS_CTRL_GET_TIMEOUT, 0n, new Uint8Array(left.buffer)),
    1n,
  );
  const ms = Number(left[0]) * 1000 + Number(left[1]) / 1000;
  await new Promise((resolve) => setTimeout(resolve, Math.ceil(ms) + 1));
  library.SSL_ctrl(ssl, DTLS_CTRL_HANDLE_TIMEOUT, 0n, null);
  const again = client.takeDatagrams();
  assert.ok(again.length > 0);
  for (const datagram of again) {
    const forged = datagram.slice();
    forged[forged.length - 1]! ^= 1;
    server.receive(forged);
  }
  assert.deepEqual(pair.sent(), []);
  for (const datagram of again) server.receive(datagram);
  assert.deepEqual(pair.sent(), [], "it has only just been sent");
  pair.now += 50;
  for (let i = 0; i < 10; i++) for (const datagram of again) server.receive(datagram);
  const flight = pair.sent();
  assert.equal(flight.length, 1);
  for (const datagram of flight) client.write(datagram);
  assert.equal(library.SSL_do_handshake(ssl), 1, "the client is up");
  assert.deepEqual(client.keys("client"), swapped(pair.reports));
});

Deno.test({
  name: "DTLS: a repeated ClientHello is answered with our flight at once, but not each of many",
  ignore: !hasLibssl(),
}, async () => {
  using pair = new Pair(await makeCertificate(), SUITES[0]!);
  const { client, server } = pair;
  const { library, ssl } = client;
  library.SSL_do_handshake(ssl);
  const hello = client.takeDatagrams();
  const say = () => hello.forEach((datagram) => server.receive(datagram));
  say();
  const flight = pair.sent();
  assert.ok(flight.length > 0);
  for (let i = 0; i < 20; i++) say();
  assert.deepEqual(pair.sent(), [], "it has only just been sent");
  for (let round = 0; round < 3; round++) {
    pair.now += 50;
    for (let i = 0; i < 20; i++) say();
    assert.deepEqual(pair.sent(), flight, "once, the whole of it");
  }
  // All that came before was lost; nothing waits for the library's own time, which is a second.
  for (const datagram of flight) client.write(datagram);
  pair.shake();
  say();
  pair.now += 50;
  say();
  for (const datagram of pair.sent()) client.write(datagram);
  assert.equal(library.SSL_do_handshake(ssl), 1, "the client is up");
  assert.deepEqual(client.keys("client"), swapped(pair.reports));
});

Deno.test({
  name: "DTLS 1.2 and no other version is spoken, whatever the library has",
  ignore: !hasLibssl(),
}, async () => {
  for (const side of ["server", "client"] as const) {
    const context = new DtlsContext(await makeCertificate(), [1], side);
    assert.deepEqual(context.versions, [0xfefd, 0xfefd]);
    context.free();
  }
});

/** Our keys as the client has them. */
function swapped(reports: readonly HandshakeReport[]) {
  const event = reports.find((one) => one.type === "keys");
  assert.ok(event?.type === "keys");
  const { profile, localKey, localSalt, remoteKey, remoteSalt } = event.keys;
  return {
    profile,
    localKey: remoteKey,
    localSalt: remoteSalt,
    remoteKey: localKey,
    remoteSalt: localSalt,
  };
}
