import { type Layer, valueOfText } from "./layers.ts";
import { CONFIG_KEYS, isIpAddress } from "./schema.ts";

/** One line of a Java properties file. */
export interface Property {
  readonly name: string;
  readonly value: string;
  readonly line: number;
}

const ESCAPES: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" };

function unescape(text: string): string {
  return text.replaceAll(
    /\\(?:u([0-9a-fA-F]{4})|([\s\S]))/g,
    (_, hex: string | undefined, other: string | undefined) =>
      hex !== undefined ? String.fromCharCode(parseInt(hex, 16)) : ESCAPES[other!] ?? other!,
  );
}

/** Reads the format of `java.util.Properties.load`: comments, continued lines, escapes. */
export function parseProperties(text: string): Property[] {
  const properties: Property[] = [];
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/);
  for (let i = 0; i < lines.length; i++) {
    const line = i + 1;
    let logical = lines[i]!.replace(/^[ \t\f]+/, "");
    if (logical === "" || logical.startsWith("#") || logical.startsWith("!")) continue;
    // An odd number of backslashes at the end continues the line.
    while (/(^|[^\\])(\\\\)*\\$/.test(logical) && i + 1 < lines.length) {
      logical = logical.slice(0, -1) + lines[++i]!.replace(/^[ \t\f]+/, "");
    }
    const name = /^(?:\\[\s\S]|[^\\=: \t\f])*/.exec(logical)![0];
    const value = logical.slice(name.length).replace(/^[ \t\f]*[=:]?[ \t\f]*/, "");
    properties.push({ name: unescape(name), value: unescape(value).trim(), line });
  }
  return properties;
}

/** What a property means here; undefined: it says nothing that the default does not say. */
type Meaning = (value: string, all: ReadonlyMap<string, string>) => unknown;

const isUnset = (value: string) => value === "" || value === "0.0.0.0";

const asIs = (key: string): readonly [string, Meaning] => [
  key,
  (value) => value === "" ? undefined : valueOfText(CONFIG_KEYS.get(key)!.kind, value),
];

/** Names of the Web Call Server's settings that have a meaning here. */
const MEANINGS: Readonly<Record<string, readonly [key: string, meaning: Meaning]>> = {
  "enable_local_videochat": asIs("sip.localCalls"),
  "sip_add_contact_id": asIs("sip.addContactId"),
  "user_agent": asIs("sip.userAgent"),
  "media_port_from": asIs("media.portFrom"),
  "media_port_to": asIs("media.portTo"),
  "ws.port": asIs("http.port"),
  "wss.port": asIs("http.tlsPort"),
  "http.port": asIs("http.restPort"),
  "https.port": asIs("http.restTlsPort"),
  "keep_alive.probes": asIs("session.pingProbes"),
  // Milliseconds there, seconds here.
  "keep_alive.server_interval": [
    "session.pingIntervalSeconds",
    (value) => /^\d+$/.test(value) ? Math.max(1, Math.round(Number(value) / 1000)) : value,
  ],
  // `true,60`: watch for silence, this many seconds.
  "rtp_activity_detecting": [
    "media.silenceTimeoutSeconds",
    (value) => {
      const [isOn, limit] = value.split(",").map((part) => part.trim());
      if (isOn === "false") return 0;
      if (isOn !== "true") return value;
      return limit === undefined ? undefined : valueOfText("integer", limit);
    },
  ],
  // `ip_local` is the interface, `ip` what the world is told.
  "ip_local": [
    "media.addresses",
    (value) => isUnset(value) ? undefined : isIpAddress(value) ? [value] : value,
  ],
  "ip": [
    "media.publicAddress",
    (value, all) => isUnset(value) || value === all.get("ip_local") ? undefined : value,
  ],
};

export interface PropertiesResult {
  readonly layer: Layer;
  /** Names that mean nothing here, as one sentence; undefined where there is none. */
  readonly warning: string | undefined;
}

/** Takes over an existing `flashphoner.properties`. */
export function propertiesLayer(text: string, file: string): PropertiesResult {
  const layer: Layer = new Map();
  const ignored = new Set<string>();
  const properties = parseProperties(text);
  const all = new Map(properties.map(({ name, value }) => [name, value]));
  for (const { name, value, line } of properties) {
    const known = Object.hasOwn(MEANINGS, name) ? MEANINGS[name] : undefined;
    if (!known) {
      ignored.add(name);
      continue;
    }
    const [key, meaning] = known;
    const translated = meaning(value, all);
    // The last line of a name wins, also where it takes back what an earlier one said.
    if (translated === undefined) layer.delete(key);
    else {
      const origin = `${file}, line ${line}`;
      layer.set(key, { value: translated, origin, subject: `${name} (${origin})` });
    }
  }
  const names = [...ignored].join(", ");
  const warning = ignored.size === 0
    ? undefined
    : `${file}: settings without a meaning here are left out: ${names}`;
  return { layer, warning };
}
