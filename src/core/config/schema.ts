import { z } from "zod";
import { compilePattern } from "../number_pattern.ts";

/**
 * What a configuration may say. Shapes and limits stand here, defaults in `config/default.jsonc`
 * alone; a test holds the two together.
 */

/** How a key's value is written in an environment variable. */
export type LeafKind =
  | "string"
  | "integer"
  | "boolean"
  | "list"
  | "listOrWord"
  | "accounts"
  | "json";

/** What is known of one key besides its shape. */
export interface Leaf {
  readonly kind: LeafKind;
  /** What a value has to be, to follow the word "expected". */
  readonly expected: string;
  /** Never shown in a message or a listing. */
  readonly isSecret: boolean;
}

const LEAVES = z.registry<Leaf>();

function leaf<S extends z.ZodType>(
  schema: S,
  kind: LeafKind,
  expected: string,
  isSecret = false,
): S {
  LEAVES.add(schema, { kind, expected, isSecret });
  return schema;
}

const port = () =>
  leaf(z.int().min(0).max(65535), "integer", "a port number from 0 (any free one) to 65535");
const integer = (least: number, most: number, what: string) =>
  leaf(z.int().min(least).max(most), "integer", `${what} from ${least} to ${most}`);
const seconds = (least: number, most: number) => integer(least, most, "a number of seconds");
const boolean = () => leaf(z.boolean(), "boolean", "true or false");
const path = (what: string) => leaf(z.string(), "string", what);
const choice = <const T extends readonly [string, ...string[]]>(...words: T) =>
  leaf(z.enum(words), "string", `one of ${words.join(", ")}`);

const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i;
// A name whose last part is a number can only be a mistyped address (RFC 3696 2).
const LIKE_ADDRESS = /(^|\.)\d+$/;
// What a header value may hold without folding or quoting trouble (RFC 3261 25.1, server-val).
const PRINTABLE = /^[\x20-\x7e]+$/;

const ipAddress = z.union([z.ipv4(), z.ipv6()]);
const hostName = z.string().regex(HOST_NAME).refine((text) => !LIKE_ADDRESS.test(text));
const host = z.union([ipAddress, hostName]);

/** Whether `text` is an IPv4 or IPv6 address, without brackets, port or zone. */
export function isIpAddress(text: string): boolean {
  return ipAddress.safeParse(text).success;
}

function isOrigin(text: string): boolean {
  try {
    const url = new URL(text);
    return (url.protocol === "http:" || url.protocol === "https:") && url.origin === text;
  } catch {
    return false;
  }
}

const RIGHT = /^[A-Za-z0-9_-]{1,32}$/;
const phoneNumber = z.string().regex(/^\+?[0-9]{1,15}$/);
const pattern = z.string().max(200).refine((text) => compilePattern(text).ok);

const codecs = z.array(z.enum(["opus", "g722", "pcmu", "pcma", "g729", "speex"])).min(1);

const account = z.strictObject({
  // RFC 3261 25.1 `user`, without escapes.
  name: z.string().regex(/^[A-Za-z0-9\-_.!~*'()&=+$,;?/]{1,64}$/),
  password: z.string().min(1).max(128),
  rights: z.array(z.string().regex(RIGHT)).optional(),
  number: z.union([z.literal(""), phoneNumber]).optional(),
  srtp: z.enum(["off", "offer", "require"]).optional(),
  avpf: z.boolean().optional(),
  media: z.enum(["relay", "direct"]).optional(),
  codecs: codecs.optional(),
});

const trunk = z.strictObject({
  name: z.string().regex(RIGHT),
  host,
  port: z.int().min(0).max(65535).default(0),
  transport: z.enum(["udp", "tcp", "tls"]).default("udp"),
  register: z.strictObject({
    user: z.string().regex(/^[A-Za-z0-9\-_.!~*'()&=+$,;?/]{1,64}$/),
    password: z.string().min(1).max(128),
  }).nullable().default(null),
  priority: z.int().min(0).max(1000).default(10),
  callerId: z.enum(["from", "pai"]).default("from"),
  number: z.union([z.literal(""), phoneNumber]).default(""),
  optionsSeconds: z.int().min(0).max(3600).default(30),
  srtp: z.boolean().default(false),
  media: z.enum(["relay", "direct"]).default("relay"),
  codecs: codecs.nullable().default(null),
  dtmf: z.enum(["rfc2833", "info"]).default("rfc2833"),
  allow: z.array(ipAddress).default([]),
});

const outboundRule = z.strictObject({
  match: pattern,
  strip: z.int().min(0).max(32).default(0),
  prefix: z.string().regex(/^\+?[0-9*#]{0,32}$/).default(""),
  e164: z.string().regex(/^([1-9][0-9]{0,2})?$/).default(""),
  trunks: z.array(z.string().regex(RIGHT)).min(1),
  allow: z.array(z.string().min(1).max(64)).min(1),
});

const inboundRule = z.strictObject({
  match: pattern,
  to: account.shape.name,
  trunks: z.array(z.string().regex(RIGHT)).default([]),
});

export const configSchema = z.strictObject({
  properties: path("the path of a flashphoner.properties file"),
  http: z.strictObject({
    host: leaf(host, "string", "an IP address of this machine or a host name"),
    port: port(),
    tlsPort: port(),
    restPort: port(),
    restTlsPort: port(),
    allowedOrigins: leaf(
      z.array(z.string().refine(isOrigin)),
      "list",
      'a list of origins such as "https://shop.example", without path',
    ),
    allowedHosts: leaf(z.array(host), "list", "a list of host names without scheme and port"),
  }),
  tls: z.strictObject({
    certificate: path("the path of a PEM file"),
    key: path("the path of a PEM file"),
  }),
  data: z.strictObject({
    directory: leaf(z.string().min(1), "string", "the path of a folder"),
    memory: boolean(),
  }),
  api: z.strictObject({
    token: leaf(
      z.union([z.literal(""), z.string().regex(/^[A-Za-z0-9\-._~+/]{16,256}=*$/)]),
      "string",
      "16 to 256 letters, digits or -._~+/",
      true,
    ),
  }),
  sip: z.strictObject({
    host: leaf(host, "string", "an IP address or a host name"),
    port: port(),
    udp: boolean(),
    tcp: boolean(),
    tls: boolean(),
    tlsPort: port(),
    domains: leaf(z.array(host), "list", "a list of domain names"),
    userAgent: leaf(z.string().regex(PRINTABLE).max(128), "string", "a line of printable ASCII"),
    addContactId: boolean(),
    ringTimeoutSeconds: seconds(1, 600),
    // RFC 4028 4: nobody asks for less.
    timerSeconds: leaf(
      z.union([z.literal(0), z.int().min(90).max(86_400)]),
      "integer",
      "0, or a number of seconds from 90 to 86400",
    ),
    rejectStatus: leaf(z.literal([486, 603]), "integer", "486 or 603"),
    busyStatus: choice("FINISH", "BUSY"),
    media: choice("relay", "direct"),
    directPingSeconds: seconds(0, 86_400),
    accounts: leaf(
      z.array(account),
      "accounts",
      'a list of { "name", "password" } with a SIP user name and a password that is not empty, ' +
        'and, where wanted, "rights" (a list of words), "number", "srtp" and "media"',
      true,
    ),
    localCalls: boolean(),
    outside: z.strictObject({
      allow: leaf(
        z.union([z.literal("auto"), z.array(z.union([z.literal("*"), host]))]),
        "listOrWord",
        '"auto" or a list of hosts, "*" for any',
      ),
      answerSeconds: seconds(1, 30),
      keepAliveSeconds: seconds(0, 3_600),
    }),
    limits: z.strictObject({
      connections: integer(1, 1_000_000, "a number of connections"),
      connectionsPerAddress: integer(1, 1_000_000, "a number of connections"),
      udpPeers: integer(1, 10_000_000, "a number of addresses"),
      messageBytes: integer(2_048, 1_114_112, "a number of bytes"),
      idleSeconds: seconds(1, 86_400),
      messageSeconds: seconds(1, 600),
      registrationsPerSecond: integer(1, 1_000_000, "a number of requests"),
      requestsPerSecond: integer(1, 1_000_000, "a number of requests"),
      failures: integer(1, 1_000_000, "a number of failures"),
      blockSeconds: seconds(1, 86_400),
      calls: integer(1, 1_000_000, "a number of calls"),
      callsPerAddress: integer(1, 1_000_000, "a number of calls"),
      transactions: integer(100, 10_000_000, "a number of transactions"),
      transactionsPerAddress: integer(10, 10_000_000, "a number of transactions"),
      lagMs: integer(20, 60_000, "a number of milliseconds"),
      loopback: boolean(),
      exempt: leaf(z.array(ipAddress), "list", "a list of IP addresses"),
    }),
  }),
  trunks: leaf(
    z.array(trunk),
    "json",
    'a list of { "name", "host" } and what else a trunk has, as in default.jsonc',
    true,
  ),
  dialPlan: z.strictObject({
    outbound: leaf(
      z.array(outboundRule),
      "json",
      'a list of { "match", "trunks", "allow" } and, where wanted, "strip", "prefix", "e164"',
    ),
    inbound: leaf(
      z.array(inboundRule),
      "json",
      'a list of { "match", "to" } and, where wanted, "trunks"',
    ),
  }),
  lab: z.strictObject({ accounts: boolean() }),
  session: z.strictObject({
    pingIntervalSeconds: seconds(1, 300),
    pingProbes: integer(1, 100, "a number of pings"),
    tokenSeconds: seconds(1, 30 * 86_400),
    reachableSeconds: seconds(0, 86_400),
    pushReachableSeconds: seconds(0, 30 * 86_400),
    maxPerAddress: integer(1, 100_000, "a number of sockets"),
  }),
  media: z.strictObject({
    addresses: leaf(
      z.union([z.literal("auto"), z.array(ipAddress).min(1)]),
      "listOrWord",
      '"auto" or a list of IP addresses',
    ),
    publicAddress: leaf(z.union([z.literal(""), ipAddress]), "string", "an IP address"),
    portFrom: integer(1024, 65535, "a port number"),
    portTo: integer(1024, 65535, "a port number"),
    workers: leaf(
      z.union([z.literal("auto"), z.int().min(1).max(256)]),
      "integer",
      '"auto" or a number of workers from 1 to 256',
    ),
    ffi: boolean(),
    dscp: boolean(),
    transcoding: boolean(),
    setupTimeoutSeconds: seconds(1, 300),
    silenceTimeoutSeconds: seconds(0, 86_400),
  }),
  log: z.strictObject({
    level: choice("debug", "info", "warn", "error"),
    format: choice("text", "json"),
  }),
});

type DeepReadonly<T> = T extends readonly (infer E)[] ? readonly DeepReadonly<E>[]
  : T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
  : T;

/** The whole configuration, checked. */
export type Config = DeepReadonly<z.infer<typeof configSchema>>;

/** An account of our own registrar. */
export type Account = Config["sip"]["accounts"][number];

/** One key: its dotted path, its schema and what is known of it. */
export interface ConfigKey extends Leaf {
  readonly path: string;
  readonly schema: z.ZodType;
}

function* walk(schema: z.ZodObject, prefix: string): Generator<ConfigKey> {
  for (const [name, member] of Object.entries(schema.shape)) {
    const known = LEAVES.get(member as z.ZodType);
    const path = prefix + name;
    if (known) yield { ...known, path, schema: member as z.ZodType };
    else yield* walk(member as z.ZodObject, `${path}.`);
  }
}

/** Every key by its dotted path, in the order of the schema. */
export const CONFIG_KEYS: ReadonlyMap<string, ConfigKey> = new Map(
  [...walk(configSchema, "")].map((key) => [key.path, key]),
);

/** The paths of the groups: `http`, `tls`, `sip.limits` ... */
export const CONFIG_GROUPS: ReadonlySet<string> = new Set(
  [...CONFIG_KEYS.keys()].flatMap((path) =>
    path.split(".").slice(0, -1).map((_, at, groups) => groups.slice(0, at + 1).join("."))
  ),
);
