import { Buffer } from "node:buffer";
import type { Certificate, SrtpKeys, SrtpProfile } from "../../contract.ts";
import { ClientRecords } from "../client_records.ts";
import { Arena } from "./arena.ts";
import {
  DTLS1_2_VERSION,
  EVP_PKEY_EC,
  type Libssl,
  openLibssl,
  SSL_CTRL_GET_MAX_PROTO_VERSION,
  SSL_CTRL_GET_MIN_PROTO_VERSION,
  SSL_CTRL_SET_MAX_PROTO_VERSION,
  SSL_CTRL_SET_MIN_PROTO_VERSION,
  SSL_CTRL_SET_MTU,
  SSL_CTRL_SET_SESS_CACHE_MODE,
  SSL_OP_NO_QUERY_MTU,
  SSL_OP_NO_RENEGOTIATION,
  SSL_OP_NO_TICKET,
  SSL_VERIFY_PEER_OR_FAIL,
  takeErrors,
  textBytes,
} from "./libssl.ts";

/** What a browser may send is no larger; what we send is cut to it. */
export const MTU = 1200;

const CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20";
/** RFC 5764 4.2. */
const LABEL = "EXTRACTOR-dtls_srtp";

const NAMES: Readonly<Record<SrtpProfile, string>> = {
  1: "SRTP_AES128_CM_SHA1_80",
  2: "SRTP_AES128_CM_SHA1_32",
  7: "SRTP_AEAD_AES_128_GCM",
  8: "SRTP_AEAD_AES_256_GCM",
};

/** Second argument of `X509_STORE_CTX_set_default`; the library keeps its address. */
const PURPOSE = textBytes("ssl_client");
const purposeArena = new Arena(PURPOSE.length);
purposeArena.bytes.set(PURPOSE);

function derOf(pem: string): Buffer<ArrayBuffer> {
  const text = pem.replaceAll(/-----[^-]+-----|\s/g, "");
  return Buffer.from(text, "base64") as Buffer<ArrayBuffer>;
}

function expect(isTrue: boolean, what: string, library: Libssl): void {
  if (!isTrue) throw new Error(`OpenSSL: ${what}: ${takeErrors(library)}`);
}

/** An OpenSSL context: certificate, key, and the SRTP profiles that are offered. */
export class DtlsContext {
  readonly library: Libssl;
  readonly #context: bigint;

  /**
   * @param ciphers in the library's words
   * @throws Error in the library's words
   */
  constructor(
    certificate: Pick<Certificate, "certificatePem" | "keyPem">,
    profiles: readonly SrtpProfile[],
    side: "server" | "client" = "server",
    ciphers = CIPHERS,
    library = openLibssl(),
  ) {
    this.library = library;
    const method = side === "server" ? library.DTLS_server_method() : library.DTLS_client_method();
    const context = this.#context = library.SSL_CTX_new(method);
    expect(context !== 0n, "no context", library);
    library.SSL_CTX_set_options(
      context,
      SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION,
    );
    // DTLS 1.3 is held off though a library may have it: it has other records (RFC 9147 4), no
    // ChangeCipherSpec, other message orders, and ACKs, so that what stands in front of the library
    // and what goes on after it (`dtls/`, `ClientRecords`) would each need a second form.
    const version = BigInt(DTLS1_2_VERSION);
    for (const limit of [SSL_CTRL_SET_MIN_PROTO_VERSION, SSL_CTRL_SET_MAX_PROTO_VERSION]) {
      expect(library.SSL_CTX_ctrl(context, limit, version, 0n) === 1n, "no DTLS 1.2", library);
    }
    library.SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, 0n, 0n);
    expect(
      library.SSL_CTX_set_cipher_list(context, textBytes(ciphers)) === 1,
      "no ciphers",
      library,
    );
    const [der, key] = [derOf(certificate.certificatePem), derOf(certificate.keyPem)];
    const hasCertificate = library.SSL_CTX_use_certificate_ASN1(context, der.length, der) === 1;
    expect(hasCertificate, "the certificate was not taken", library);
    const size = BigInt(key.length);
    const hasKey = library.SSL_CTX_use_PrivateKey_ASN1(EVP_PKEY_EC, context, key, size) === 1;
    expect(hasKey, "the key was not taken", library);
    // The other way round from the rest of the library: 0 is success.
    const names = textBytes(profiles.map((profile) => NAMES[profile]).join(":"));
    expect(
      library.SSL_CTX_set_tlsext_use_srtp(context, names) === 0,
      "the SRTP profiles were not taken",
      library,
    );
    // Any certificate is taken here: what it is worth, its fingerprint tells; the handshake proves
    // that the other side has its key. What answers is a function of the library that does no harm,
    // fits the callback's form and gives 1: a callback of ours would keep a dead worker's thread.
    library.SSL_CTX_set_verify(context, SSL_VERIFY_PEER_OR_FAIL, 0n);
    library.SSL_CTX_set_cert_verify_callback(
      context,
      library.X509_STORE_CTX_set_default,
      purposeArena.address(0),
    );
  }

  /** Lowest and highest version that is spoken, as the library has them. */
  get versions(): readonly number[] {
    return [SSL_CTRL_GET_MIN_PROTO_VERSION, SSL_CTRL_GET_MAX_PROTO_VERSION].map((limit) =>
      Number(this.library.SSL_CTX_ctrl(this.#context, limit, 0n, 0n))
    );
  }

  /** One association, with memory on both sides of it. */
  connection(side: "server" | "client" = "server"): DtlsConnection {
    return new DtlsConnection(this.library, this.#context, side);
  }

  /** Connections that are open keep what they need. */
  free(): void {
    this.library.SSL_CTX_free(this.#context);
  }
}

/** One association of OpenSSL: records go in, datagrams come out. */
export class DtlsConnection {
  readonly library: Libssl;
  readonly ssl: bigint;
  readonly #in: bigint;
  readonly #out: bigint;

  constructor(library: Libssl, context: bigint, side: "server" | "client") {
    this.library = library;
    this.ssl = library.SSL_new(context);
    expect(this.ssl !== 0n, "no association", library);
    this.#in = library.BIO_new(library.BIO_s_mem());
    this.#out = library.BIO_new(library.BIO_s_mem());
    library.SSL_set_bio(this.ssl, this.#in, this.#out);
    library.SSL_ctrl(this.ssl, SSL_CTRL_SET_MTU, BigInt(MTU), null);
    if (side === "server") library.SSL_set_accept_state(this.ssl);
    else library.SSL_set_connect_state(this.ssl);
  }

  write(record: Uint8Array): void {
    this.library.BIO_write(this.#in, Uint8Array.from(record), record.length);
  }

  /** What is to be sent, in datagrams of whole records. */
  takeDatagrams(): Uint8Array[] {
    const size = Number(this.library.BIO_ctrl_pending(this.#out));
    if (size === 0) return [];
    const bytes = new Uint8Array(size);
    this.library.BIO_read(this.#out, bytes, size);
    const datagrams: Uint8Array[] = [];
    let start = 0;
    for (let at = 0; at + 13 <= size;) {
      const next = at + 13 + ((bytes[at + 11]! << 8) | bytes[at + 12]!);
      if (next - start > MTU && at > start) {
        datagrams.push(bytes.slice(start, at));
        start = at;
      }
      at = next;
    }
    datagrams.push(bytes.slice(start));
    return datagrams;
  }

  /** DER of the other side's certificate; null: it showed none. */
  certificate(): Uint8Array | null {
    const { library } = this;
    const certificate = library.SSL_get1_peer_certificate(this.ssl);
    if (certificate === 0n) return null;
    const length = library.i2d_X509(certificate, null);
    const der = new Uint8Array(length);
    const base = Deno.UnsafePointer.value(Deno.UnsafePointer.of(der));
    library.i2d_X509(certificate, BigUint64Array.of(base));
    library.X509_free(certificate);
    return der;
  }

  /**
   * What opens the client's further records without this association; null: it cannot be had, and
   * the association has to stay.
   */
  clientRecords(): ClientRecords | null {
    const { library, ssl } = this;
    if (library.SSL_version(ssl) !== DTLS1_2_VERSION) return null;
    const secret = new Uint8Array(48);
    const [client, server] = [new Uint8Array(32), new Uint8Array(32)];
    const session = library.SSL_get_session(ssl);
    const cipher = library.SSL_get_current_cipher(ssl);
    if (session === 0n || cipher === 0n) return null;
    const isWhole = library.SSL_SESSION_get_master_key(session, secret, 48n) === 48n &&
      library.SSL_get_client_random(ssl, client, 32n) === 32n &&
      library.SSL_get_server_random(ssl, server, 32n) === 32n;
    const suite = library.SSL_CIPHER_get_protocol_id(cipher);
    const records = isWhole ? ClientRecords.of(suite, secret, client, server) : null;
    secret.fill(0);
    return records;
  }

  /** Keys of both directions by RFC 5764 4.2; null: no profile in common. */
  keys(side: "server" | "client" = "server"): SrtpKeys | null {
    const { library } = this;
    const chosen = library.SSL_get_selected_srtp_profile(this.ssl);
    if (chosen === null) return null;
    // struct { const char *name; unsigned long id; }
    const profile = Number(new Deno.UnsafePointerView(chosen).getBigUint64(8)) as SrtpProfile;
    if (NAMES[profile] === undefined) return null;
    const key = profile === 8 ? 32 : 16;
    const salt = profile >= 7 ? 12 : 14;
    const out = new Uint8Array(2 * (key + salt));
    const label = new TextEncoder().encode(LABEL);
    const isExported = library.SSL_export_keying_material(
      this.ssl,
      out,
      BigInt(out.length),
      label,
      BigInt(label.length),
      0n,
      0n,
      0,
    );
    if (isExported !== 1) return null;
    const client = { key: out.slice(0, key), salt: out.slice(2 * key, 2 * key + salt) };
    const server = { key: out.slice(key, 2 * key), salt: out.slice(2 * key + salt) };
    out.fill(0);
    const [local, remote] = side === "server" ? [server, client] : [client, server];
    return {
      profile,
      localKey: local.key,
      localSalt: local.salt,
      remoteKey: remote.key,
      remoteSalt: remote.salt,
    };
  }

  free(): void {
    this.library.SSL_free(this.ssl);
  }
}
