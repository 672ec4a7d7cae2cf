import assert from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { connect } from "node:tls";
import { type CertificateOptions, ensureCertificate } from "../../src/core/io/certificate.ts";
import { ensureDataDirectory, ensureOperatorToken, readFile } from "../../src/core/io/files.ts";
import { ManualClock } from "../../src/core/manual_clock.ts";
import { systemClock } from "../../src/core/io/system_clock.ts";
import { systemEntropy } from "../../src/core/io/system_entropy.ts";

const DAY_MS = 86_400_000;

function folder(): { path: string } & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "portzero-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

async function ensure(directory: string, better: Partial<CertificateOptions> = {}) {
  const result = await ensureCertificate({
    certificateFile: "",
    keyFile: "",
    directory,
    names: [],
    clock: systemClock,
    entropy: systemEntropy,
    ...better,
  });
  assert.ok(result.ok, result.ok ? "" : result.error);
  return result.value;
}

async function refusal(certificateFile: string, keyFile: string): Promise<string> {
  const result = await ensureCertificate({
    certificateFile,
    keyFile,
    directory: "",
    names: [],
    clock: systemClock,
    entropy: systemEntropy,
  });
  assert.ok(!result.ok);
  return result.error;
}

Deno.test("certificate: made on first start, kept for the next, for its owner's eyes only", async () => {
  using dir = folder();
  const first = await ensure(dir.path, {
    names: ["192.0.2.7", "calls.example.org", "2001:db8::1"],
  });
  assert.ok(first.isSelfSigned && first.isNew);
  const parsed = new X509Certificate(first.certificate);
  for (const address of ["127.0.0.1", "::1", "192.0.2.7", "2001:db8::1"]) {
    assert.ok(parsed.checkIP(address), address);
  }
  for (const name of ["localhost", "calls.example.org"]) assert.ok(parsed.checkHost(name), name);
  assert.equal(parsed.checkIP("192.0.2.8"), undefined);
  assert.equal(parsed.publicKey.asymmetricKeyType, "ec");
  assert.deepEqual([...Deno.readDirSync(dir.path)].map(({ name }) => name), ["tls.pem"]);
  if (Deno.build.os !== "windows") {
    assert.equal(Deno.statSync(join(dir.path, "tls.pem")).mode! & 0o777, 0o600);
  }
  const again = await ensure(dir.path, {
    names: ["calls.example.org", "2001:db8::1", "192.0.2.7"],
  });
  assert.equal(again.isNew, false);
  assert.equal(again.certificate, first.certificate);
  assert.equal(again.key, first.key);
});

Deno.test("certificate: renewed when the names change, when it runs out, and when it is damaged", async () => {
  using dir = folder();
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const first = await ensure(dir.path, { clock, names: ["192.0.2.7"] });
  const changed = await ensure(dir.path, { clock, names: ["192.0.2.8"] });
  assert.ok(changed.isNew);
  assert.notEqual(changed.certificate, first.certificate);
  assert.ok((await ensure(dir.path, { clock })).isNew, "one name less is a change too");
  clock.advance(360 * DAY_MS);
  assert.equal((await ensure(dir.path, { clock })).isNew, false);
  clock.advance(10 * DAY_MS);
  assert.ok((await ensure(dir.path, { clock })).isNew, "less than 30 days are left");
  const path = join(dir.path, "tls.pem");
  const other = first.key;
  const kept = await ensure(dir.path, { clock });
  for (const damaged of ["", "x", kept.certificate, kept.certificate + other]) {
    Deno.writeTextFileSync(path, damaged);
    assert.ok((await ensure(dir.path, { clock })).isNew, damaged.slice(0, 40));
  }
});

Deno.test("certificate: a TLS client that trusts it accepts it for localhost", async () => {
  using dir = folder();
  const { certificate: cert, key } = await ensure(dir.path);
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, cert, key, onListen() {} },
    () => new Response("hello"),
  );
  using client = Deno.createHttpClient({ caCerts: [cert] });
  const url = `https://localhost:${server.addr.port}/`;
  assert.equal(await (await fetch(url, { client })).text(), "hello");
  // A second opinion, with the chain and name check of another implementation.
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const socket = connect(
    { host: "127.0.0.1", port: server.addr.port, servername: "localhost", ca: cert },
    () => resolve(socket.authorized),
  );
  socket.on("error", reject);
  assert.equal(await promise, true);
  socket.destroy();
  await server.shutdown();
});

Deno.test("certificate: one's own is taken as it is, with a warning when it runs out", async () => {
  using dir = folder();
  const made = await ensure(dir.path);
  const certificateFile = join(dir.path, "own.pem");
  const keyFile = join(dir.path, "own.key");
  Deno.writeTextFileSync(certificateFile, made.certificate);
  Deno.writeTextFileSync(keyFile, made.key);
  const own = await ensure("", { certificateFile, keyFile });
  assert.deepEqual(
    [own.certificate, own.key, own.isSelfSigned, own.isNew, own.warning],
    [made.certificate, made.key, false, false, undefined],
  );
  const late = new ManualClock(made.notAfter - DAY_MS);
  assert.match(
    (await ensure("", { certificateFile, keyFile, clock: late })).warning!,
    / expires on 20/,
  );
  late.advance(2 * DAY_MS);
  assert.match(
    (await ensure("", { certificateFile, keyFile, clock: late })).warning!,
    / expired on 20/,
  );
});

Deno.test("certificate: what is wrong with one's own is said in one sentence", async () => {
  using dir = folder();
  const made = await ensure(dir.path);
  const file = (name: string, text: string) => {
    Deno.writeTextFileSync(join(dir.path, name), text);
    return join(dir.path, name);
  };
  const certificate = file("c.pem", made.certificate);
  const key = file("k.pem", made.key);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const otherKey = file("o.pem", privateKey.export({ format: "pem", type: "pkcs8" }) as string);
  const none = join(dir.path, "none.pem");
  assert.equal(
    await refusal(none, key),
    `cannot read tls.certificate ${none}: no such file or folder`,
  );
  assert.equal(
    await refusal(certificate, dir.path),
    `cannot read tls.key ${dir.path}: it is a folder`,
  );
  assert.match(await refusal(key, key), /holds no certificate: expected PEM text$/);
  assert.match(await refusal(certificate, certificate), /holds no private key: expected PEM text/);
  assert.match(await refusal(certificate, otherKey), /does not belong to the certificate/);
});

Deno.test("data folder: made for its owner alone; what stands in the way is said", () => {
  using dir = folder();
  const path = join(dir.path, "a", "data");
  assert.deepEqual(ensureDataDirectory(path, systemEntropy), { ok: true, value: undefined });
  assert.deepEqual([...Deno.readDirSync(path)], [], "the probe is gone");
  if (Deno.build.os !== "windows") assert.equal(Deno.statSync(path).mode! & 0o777, 0o700);
  const blocked = join(dir.path, "file");
  Deno.writeTextFileSync(blocked, "");
  const refused = ensureDataDirectory(blocked, systemEntropy);
  assert.ok(!refused.ok);
  assert.equal(
    refused.error,
    `cannot make the data folder ${blocked}: it is there already and is no folder`,
  );
});

Deno.test("operator token: configured, else kept, else made", () => {
  using dir = folder();
  const token = (configured: string) => {
    const result = ensureOperatorToken(configured, dir.path, systemEntropy);
    assert.ok(result.ok);
    return result.value;
  };
  assert.equal(token("configured-token-1"), "configured-token-1");
  assert.ok(!readFile(join(dir.path, "operator-token")).ok, "a configured one is not copied");
  const made = token("");
  assert.match(made, /^[0-9a-f]{48}$/);
  assert.equal(token(""), made);
  Deno.writeTextFileSync(join(dir.path, "operator-token"), "short\n");
  assert.notEqual(token(""), made);
});
