import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { SeededEntropy } from "../../src/core/entropy.ts";
import { CipherContext, DtlsClient } from "werift";
import type { Certificate } from "../../src/rtp/contract.ts";
import { DtlsContext } from "../../src/rtp/io/ffi/dtls_context.ts";
import { makeCertificate } from "../../src/rtp/io/dtls_certificate.ts";
import { OpensslHandshake } from "../../src/rtp/io/ffi/openssl_handshake.ts";
import type { HandshakeReport } from "../../src/rtp/io/association.ts";
import { Handshake } from "../../src/rtp/io/handshake.ts";
import { hasLibssl } from "../support/libssl.ts";

/** Our side against another implementation's client, with a network in between that can be bad. */

interface Identity {
  readonly certPem: string;
  readonly keyPem: string;
  readonly fingerprint: string;
}

async function identity(): Promise<Identity> {
  const made = await CipherContext.createSelfSignedCertificateWithKey(
    { signature: 3, hash: 4 },
    23,
  );
  const { RTCCertificate } = await import("werift");
  const fingerprint = new RTCCertificate(made.keyPem, made.certPem, made.signatureHash)
    .getFingerprints()[0]!.value;
  return { certPem: made.certPem, keyPem: made.keyPem, fingerprint };
}

interface Network {
  /** What becomes of a datagram of the client: how many copies arrive, each after so many ms. */
  readonly toServer?: (index: number) => readonly number[];
}

type Maker = (
  certificate: Certificate,
  report: (event: HandshakeReport) => void,
) => Pick<Handshake, "receive" | "setFingerprints" | "close">;

/** Both implementations of our side. */
const MAKERS: readonly (readonly [name: string, make: Maker, ignore: boolean])[] = [
  ["werift", (certificate, report) => new Handshake(1, certificate, [1], report), false],
  [
    "OpenSSL",
    (certificate, report) => new OpensslHandshake(1, new DtlsContext(certificate, [1]), report),
    !hasLibssl(),
  ],
];

class Connection {
  readonly reports: HandshakeReport[] = [];
  readonly server: Pick<Handshake, "receive" | "setFingerprints" | "close">;
  readonly client: DtlsClient;
  #sent = 0;
  #closed = false;
  #wake = () => {};

  constructor(
    make: Maker,
    certificate: Certificate,
    client: Identity,
    keyPem: string,
    network: Network = {},
  ) {
    const transport = {
      type: "udp",
      address: { address: "127.0.0.1", family: "IPv4", port: 1 },
      closed: false,
      onData: (_data: Buffer) => {},
      send: (data: Buffer) => {
        for (const delay of network.toServer?.(this.#sent++) ?? [0]) {
          const copy = Uint8Array.from(data);
          setTimeout(() => {
            if (!this.#closed) this.server.receive(copy);
          }, delay);
        }
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    };
    this.server = make(certificate, (event) => {
      this.reports.push(event);
      this.#wake();
      if (event.type !== "dtls-send") return;
      const copy = Buffer.from(event.data);
      setTimeout(() => {
        if (!this.#closed) transport.onData(copy);
      }, 0);
    });
    this.client = new DtlsClient({
      transport,
      cert: client.certPem,
      key: keyPem,
      signatureHash: { hash: 4, signature: 3 },
      srtpProfiles: [1],
      extendedMasterSecret: true,
    });
    this.client.connect().catch(() => {});
  }

  async outcome(): Promise<Extract<HandshakeReport, { type: "dtls" }>> {
    const end = performance.now() + 15_000;
    for (;;) {
      for (const event of this.reports) {
        if (event.type === "dtls" && event.state !== "handshaking") return event;
      }
      if (performance.now() > end) throw new Error("the handshake came to no end within 15 s");
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 500);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  close(): void {
    this.#closed = true;
    this.server.close();
    // Ends the library's repetitions, which nothing else does.
    this.client.dtls.flight = Number.MAX_SAFE_INTEGER;
  }
}

const options = { sanitizeOps: false, sanitizeResources: false };

for (const [name, make, ignore] of MAKERS) {
  Deno.test({
    name: `DTLS by ${name}: keys fit the client's, and are given out once`,
    ignore,
    ...options,
  }, async () => {
    const client = await identity();
    const connection = new Connection(make, await makeCertificate(), client, client.keyPem);
    connection.server.setFingerprints([{ algorithm: "sha-256", value: client.fingerprint }]);
    assert.equal((await connection.outcome()).state, "connected");
    const keys = connection.reports.filter((event) => event.type === "keys");
    assert.equal(keys.length, 1);
    const theirs = connection.client.extractSessionKeys(16, 14);
    assert.deepEqual(Buffer.from(keys[0]!.keys.remoteKey), theirs.localKey);
    assert.deepEqual(Buffer.from(keys[0]!.keys.localSalt), theirs.remoteSalt);
    connection.close();
  });

  Deno.test(
    { name: `DTLS by ${name}: no keys before the fingerprint is told`, ignore, ...options },
    async () => {
      const client = await identity();
      const connection = new Connection(make, await makeCertificate(), client, client.keyPem);
      await new Promise<void>((resolve) => connection.client.onConnect.once(() => resolve()));
      assert.ok(!connection.reports.some(({ type }) => type === "keys"));
      connection.server.setFingerprints([{ algorithm: "SHA-256", value: client.fingerprint }]);
      assert.equal((await connection.outcome()).state, "connected");
      connection.close();
    },
  );

  Deno.test(
    { name: `DTLS by ${name}: a certificate shown without its key is refused`, ignore, ...options },
    async () => {
      // Anybody can show a certificate that was seen on the wire; its fingerprint even fits.
      const [victim, thief] = [await identity(), await identity()];
      const connection = new Connection(make, await makeCertificate(), victim, thief.keyPem);
      connection.server.setFingerprints([{ algorithm: "sha-256", value: victim.fingerprint }]);
      const { state, text } = await connection.outcome();
      assert.equal(state, "failed");
      assert.match(text ?? "", /signature/);
      assert.ok(!connection.reports.some(({ type }) => type === "keys"));
      connection.close();
    },
  );

  Deno.test({
    name: `DTLS by ${name}: everything twice and some of it late still gives the same keys`,
    ignore,
    ...options,
  }, async () => {
    const client = await identity();
    for (let round = 0; round < 5; round++) {
      const network = { toServer: (index: number) => [0, 0, (index * 7 + round) % 13] };
      const connection = new Connection(
        make,
        await makeCertificate(),
        client,
        client.keyPem,
        network,
      );
      connection.server.setFingerprints([{ algorithm: "sha-256", value: client.fingerprint }]);
      const { state, text } = await connection.outcome();
      assert.equal(state, "connected", text);
      const keys = connection.reports.find((event) => event.type === "keys")!;
      assert.deepEqual(
        Buffer.from(keys.keys.remoteKey),
        connection.client.extractSessionKeys(16, 14).localKey,
      );
      connection.close();
    }
  });

  Deno.test({
    name: `DTLS by ${name}: forged records during and after the handshake change nothing`,
    ignore,
    ...options,
  }, async () => {
    const client = await identity();
    const connection = new Connection(make, await makeCertificate(), client, client.keyPem);
    const alert = Uint8Array.of(21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 2, 40);
    const secretAlert = Uint8Array.of(
      21,
      254,
      253,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      1,
      0,
      26,
      ...new Uint8Array(26),
    );
    const finished = Uint8Array.of(
      22,
      254,
      253,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      1,
      0,
      48,
      ...new Uint8Array(48),
    );
    const chance = new SeededEntropy(4);
    const noise = () => {
      const bytes = chance.bytes(13 + chance.below(120));
      // Most of it looks like a record, and some of that like a handshake message to come.
      if (chance.below(4) > 0) {
        bytes.set([22, 254, 253, 0, chance.below(3), 0, 0, 0, 0, 0, 1, 0, bytes.length - 13]);
      }
      if (chance.below(2) > 0 && bytes.length > 25) {
        bytes.set([
          14,
          0,
          0,
          bytes.length - 25,
          0,
          3 + chance.below(9),
          0,
          0,
          0,
          0,
          0,
          bytes.length - 25,
        ], 13);
      }
      return bytes;
    };
    const pester = () => {
      for (let i = 0; i < 10; i++) connection.server.receive(noise());
      for (
        const forged of [alert, secretAlert, finished, alert.subarray(0, 14), new Uint8Array(0)]
      ) {
        connection.server.receive(forged);
      }
    };
    for (let i = 0; i < 20; i++) setTimeout(pester, i * 3);
    connection.server.setFingerprints([{ algorithm: "sha-256", value: client.fingerprint }]);
    assert.equal((await connection.outcome()).state, "connected");
    pester();
    assert.ok(
      !connection.reports.some((event) => event.type === "dtls" && event.state === "closed"),
    );
    connection.close();
  });
}
