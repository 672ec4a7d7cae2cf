import { err, ok, type Result } from "../result.ts";
import type { CommandLine, ConfigFault } from "./command_line.ts";
import { environmentLayer, jsoncLayer, type Layer, type Setting, show } from "./layers.ts";
import { isExposed } from "./loopback.ts";
import { propertiesLayer } from "./properties.ts";
import { type Config, CONFIG_KEYS, type ConfigKey, configSchema } from "./schema.ts";

export interface LoadOptions {
  readonly commandLine: CommandLine;
  /** The process's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The text of `config/default.jsonc`, the one source of defaults. */
  readonly defaults: string;
  /** A file's text, or in words why there is none ("no such file"). */
  readonly readFile: (path: string) => Result<string, string>;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Sentences for the operator; the server starts all the same. */
  readonly warnings: readonly string[];
  /** Where each key's value was written, by dotted key. */
  readonly origins: ReadonlyMap<string, string>;
}

/**
 * Puts the configuration together: defaults, then flashphoner.properties, then `--config`, then the
 * environment, then options; the later wins. All faults are reported at once.
 */
export function loadConfig(options: LoadOptions): Result<LoadedConfig, ConfigFault[]> {
  const { commandLine } = options;
  const faults: ConfigFault[] = [];
  const warnings: string[] = [];
  const take = (result: { layer: Layer; faults: ConfigFault[] }): Layer => {
    faults.push(...result.faults);
    return result.layer;
  };
  const read = (path: string, what: string): string | undefined => {
    const text = options.readFile(path);
    if (text.ok) return text.value;
    faults.push({ key: what, text: `cannot read ${what} ${path}: ${text.error}` });
    return undefined;
  };

  const defaults = take(jsoncLayer(options.defaults, "config/default.jsonc", "default"));
  const file = commandLine.configFile;
  const fileText = file === undefined ? undefined : read(file, "the configuration");
  const ours = fileText === undefined ? new Map() : take(jsoncLayer(fileText, file!));
  const above = [ours, take(environmentLayer(options.env)), optionLayer(commandLine)];

  const settings: Layer = merge([defaults, ...above]);
  const properties = settings.get("properties")?.value;
  if (typeof properties === "string" && properties !== "") {
    const text = read(properties, "the properties file");
    if (text !== undefined) {
      const { layer, warning } = propertiesLayer(text, properties);
      if (warning !== undefined) warnings.push(warning);
      for (const [path, setting] of merge([defaults, layer, ...above])) settings.set(path, setting);
    }
  }

  faults.push(...checkValues(settings));
  if (faults.length > 0) return err(faults);
  const config = configSchema.parse(nest(settings)) as Config;
  const conflicts = checkTogether(config, settings);
  if (conflicts.length > 0) return err(conflicts);
  const origins = new Map([...settings].map(([path, { origin }]) => [path, origin]));
  return ok({ config: withoutLabAccounts(config, origins, warnings), warnings, origins });
}

function merge(layers: readonly Layer[]): Layer {
  const merged: Layer = new Map();
  for (const layer of layers) {
    for (const [path, setting] of layer) merged.set(path, setting);
  }
  return merged;
}

function optionLayer(commandLine: CommandLine): Layer {
  const layer: Layer = new Map();
  const set = (path: string, option: string, value: unknown) => {
    if (value !== undefined) {
      layer.set(path, { value, origin: option, subject: `${option} (${path})` });
    }
  };
  const { workers } = commandLine;
  set("http.host", "--host", commandLine.host);
  set("properties", "--properties", commandLine.propertiesFile);
  set("media.ffi", "--no-ffi", commandLine.ffi === "off" ? false : undefined);
  set("media.workers", "--workers", /^\d+$/.test(workers ?? "") ? Number(workers) : workers);
  return layer;
}

/** Each key by itself: there, and of the right shape. */
function checkValues(settings: Layer): ConfigFault[] {
  const faults: ConfigFault[] = [];
  for (const [path, key] of CONFIG_KEYS) {
    const setting = settings.get(path);
    if (!setting) {
      // Only a broken default.jsonc can do that.
      faults.push({ key: path, text: `${path} has no value: expected ${key.expected}` });
    } else if (!key.schema.safeParse(setting.value).success) {
      faults.push({ key: path, text: badValue(key, setting) });
    }
  }
  return faults;
}

function badValue(key: ConfigKey, { value, subject }: Setting): string {
  const shown = key.isSecret ? "not valid" : show(value);
  return `${subject} is ${shown}: expected ${key.expected}`;
}

/** What single keys can't tell: values that only make sense together. */
function checkTogether(config: Config, settings: Layer): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const subject = (path: string) => settings.get(path)?.subject ?? path;
  const fault = (path: string, text: string) =>
    faults.push({ key: path, text: `${subject(path)} ${text}` });

  const { portFrom, portTo } = config.media;
  if (portTo < portFrom) {
    fault("media.portTo", `is ${portTo}: expected at least media.portFrom, ${portFrom}`);
  }
  const { certificate, key } = config.tls;
  if ((certificate === "") !== (key === "")) {
    const [given, missing] = key === "" ? ["certificate", "key"] : ["key", "certificate"];
    fault(`tls.${missing}`, `is empty: expected a path, because tls.${given} is set`);
  }
  const users = new Map<number, string>();
  const { http, sip } = config;
  const ports: readonly (readonly [string, number])[] = [
    ["http.port", http.port],
    ["http.tlsPort", http.tlsPort],
    ["http.restPort", http.restPort],
    ["http.restTlsPort", http.restTlsPort],
    // UDP ports are others, but where one says 8443 he means something else.
    ["sip.port", sip.port],
    ["sip.tlsPort", sip.tlsPort],
  ];
  for (const [path, number] of ports) {
    const other = users.get(number);
    if (number !== 0 && other) {
      fault(path, `is ${number}: expected another port than that of ${other}`);
    } else users.set(number, path);
  }
  const trunks = new Set<string>();
  for (const { name } of config.trunks) {
    if (trunks.has(name)) fault("trunks", `holds "${name}" twice: expected each name once`);
    trunks.add(name);
  }
  const { outbound, inbound } = config.dialPlan;
  for (const [path, rules] of [["outbound", outbound], ["inbound", inbound]] as const) {
    for (const name of rules.flatMap((rule) => rule.trunks)) {
      if (trunks.has(name)) continue;
      fault(`dialPlan.${path}`, `names the trunk "${name}": expected one of trunks`);
    }
  }
  const names = new Set<string>();
  for (const { name } of config.sip.accounts) {
    if (names.has(name)) fault("sip.accounts", `holds "${name}" twice: expected each name once`);
    names.add(name);
  }
  return faults;
}

/** Accounts with a known password are for loopback only, whatever was configured. */
function withoutLabAccounts(
  config: Config,
  origins: Map<string, string>,
  warnings: string[],
): Config {
  if (!isExposed(config) || !config.lab.accounts) return config;
  if (origins.get("lab.accounts") !== "default") {
    warnings.push(
      `lab.accounts is off: accounts with a known password stay on loopback, and http.host is ` +
        config.http.host,
    );
  }
  origins.set("lab.accounts", "the server is exposed");
  return { ...config, lab: { ...config.lab, accounts: false } };
}

/** Dotted keys as the nested object that the schema describes. */
function nest(settings: Layer): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const path of CONFIG_KEYS.keys()) {
    const value = settings.get(path)!.value;
    const groups = path.split(".");
    const name = groups.pop()!;
    let holder = root;
    for (const group of groups) {
      holder = (holder[group] ??= {}) as Record<string, unknown>;
    }
    holder[name] = value;
  }
  return root;
}
