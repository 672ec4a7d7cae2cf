import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { isIpAddress } from "../config/schema.ts";
import { type Entropy, toHex } from "../entropy.ts";
import { err, ok, type Result } from "../result.ts";
import { fileFault, readFile, writePrivateFile } from "./files.ts";

/** What `Deno.serve` needs for TLS, and what an operator should know of it. */
export interface ServerCertificate {
  /** PEM, leaf first. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
  /** Made here: browsers ask before they trust it. */
  readonly isSelfSigned: boolean;
  /** Made or renewed by this very start. */
  readonly isNew: boolean;
  /** End of its validity, ms since 1970. */
  readonly notAfter: number;
  /** A sentence about what is wrong with it though it can be used. */
  readonly warning?: string;
}

export interface CertificateOptions {
  /** `tls.certificate` and `tls.key`: paths, or both "". */
  readonly certificateFile: string;
  readonly keyFile: string;
  /** Folder where the self-signed one is kept. */
  readonly directory: string;
  /** Names and addresses besides loopback that the self-signed one has to cover. */
  readonly names: readonly string[];
  readonly clock: Clock;
  readonly entropy: Entropy;
}

const DAY_MS = 86_400_000;
/** With the day before today well within the 398 days that browsers take. */
const VALID_MS = 396 * DAY_MS;
/** A certificate with less than this left is renewed. */
const RENEW_MS = 30 * DAY_MS;
const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "::1"];

/**
 * The configured certificate, else the kept self-signed one, made or renewed where it has to be.
 */
export async function ensureCertificate(
  options: CertificateOptions,
): Promise<Result<ServerCertificate, string>> {
  if (options.certificateFile !== "") return ownCertificate(options);
  const names = [...new Set([...LOOPBACK_NAMES, ...options.names])];
  const path = join(options.directory, "tls.pem");
  const kept = keptCertificate(path, names, options.clock.epoch());
  if (kept) return ok(kept);
  try {
    const made = await makeSelfSigned(names, options.clock.epoch(), options.entropy);
    // One file for both halves, so that no crash and no second process can leave them unequal.
    const written = writePrivateFile(path, made.certificate + made.key, options.entropy);
    return written.ok ? ok(made) : err(`cannot keep the certificate ${path}: ${written.error}`);
  } catch (fault) {
    return err(`cannot make a certificate for ${names.join(", ")}: ${fileFault(fault)}`);
  }
}

function ownCertificate(options: CertificateOptions): Result<ServerCertificate, string> {
  const { certificateFile, keyFile } = options;
  const certificate = readFile(certificateFile);
  if (!certificate.ok) {
    return err(`cannot read tls.certificate ${certificateFile}: ${certificate.error}`);
  }
  const key = readFile(keyFile);
  if (!key.ok) return err(`cannot read tls.key ${keyFile}: ${key.error}`);
  const parsed = parseCertificate(certificate.value);
  if (!parsed) {
    return err(`tls.certificate ${certificateFile} holds no certificate: expected PEM text`);
  }
  const isFitting = fits(parsed, key.value);
  if (isFitting === undefined) {
    return err(`tls.key ${keyFile} holds no private key: expected PEM text without a passphrase`);
  }
  if (!isFitting) {
    return err(`tls.key ${keyFile} does not belong to the certificate ${certificateFile}`);
  }
  const notAfter = parsed.validToDate.getTime();
  const when = parsed.validToDate.toISOString().slice(0, 10);
  const left = notAfter - options.clock.epoch();
  const warning = left < 0
    ? `tls.certificate ${certificateFile} expired on ${when}`
    : left < RENEW_MS
    ? `tls.certificate ${certificateFile} expires on ${when}`
    : undefined;
  return ok({
    certificate: certificate.value,
    key: key.value,
    isSelfSigned: false,
    isNew: false,
    notAfter,
    ...(warning === undefined ? {} : { warning }),
  });
}

function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** Whether the key is the certificate's; undefined where it is no key. */
function fits(certificate: X509Certificate, key: string): boolean | undefined {
  try {
    const ours = createPublicKey(createPrivateKey(key)).export({ format: "der", type: "spki" });
    return certificate.publicKey.export({ format: "der", type: "spki" }).equals(ours);
  } catch {
    return undefined;
  }
}

/** What is kept, where it can still be used as it is. */
function keptCertificate(
  path: string,
  names: readonly string[],
  now: number,
): ServerCertificate | undefined {
  const kept = readFile(path);
  if (!kept.ok) return undefined;
  const split = kept.value.indexOf("-----BEGIN PRIVATE KEY-----");
  const certificate = kept.value.slice(0, split);
  const key = kept.value.slice(split);
  const parsed = split < 0 ? undefined : parseCertificate(certificate);
  if (!parsed || fits(parsed, key) !== true) return undefined;
  const covered = (parsed.subjectAltName ?? "").split(", ").length;
  const isCovered = (name: string) =>
    (isIpAddress(name) ? parsed.checkIP(name) : parsed.checkHost(name)) !== undefined;
  const notAfter = parsed.validToDate.getTime();
  if (covered !== names.length || !names.every(isCovered) || notAfter - now < RENEW_MS) {
    return undefined;
  }
  return { certificate, key, isSelfSigned: true, isNew: false, notAfter };
}

/** ECDSA P-256, self-signed, for TLS servers only (RFC 5280). */
async function makeSelfSigned(
  names: readonly string[],
  now: number,
  entropy: Entropy,
): Promise<ServerCertificate> {
  // Loaded only here: it costs a tenth of a second that a usual start need not spend.
  const x509 = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const serial = entropy.bytes(16);
  // Positive, and without leading zeros (RFC 5280 4.1.2.2).
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  const notAfter = now + VALID_MS;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: toHex(serial),
    name: "CN=Port Zero",
    // A client's clock may be a little behind.
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(notAfter),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({
          type: isIpAddress(value) ? "ip" as const : "dns" as const,
          value,
        })),
      ),
    ],
  });
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    certificate: `${certificate.toString("pem")}\n`,
    key: `${x509.PemConverter.encode(pkcs8, "PRIVATE KEY")}\n`,
    isSelfSigned: true,
    isNew: true,
    notAfter,
  };
}
