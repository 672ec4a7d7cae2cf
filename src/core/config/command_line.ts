import { err, ok, type Result } from "../result.ts";
import { settingOf } from "./names.ts";
import { editDistance, nearest } from "./nearest.ts";
import { CONFIG_KEYS } from "./schema.ts";

/** A fault of whoever configured the server: one sentence, and what it is about. */
export interface ConfigFault {
  /** Dotted key, option or file. */
  readonly key: string;
  readonly text: string;
}

export interface CommandLine {
  readonly request: "start" | "check" | "help" | "version";
  readonly configFile?: string;
  readonly propertiesFile?: string;
  /** Given by `--host`; all addresses where it stands without one. */
  readonly host?: string;
  /** As written. */
  readonly workers?: string;
  /** Set by `--no-ffi`. */
  readonly ffi?: "off";
}

export const HELP = `Port Zero: browsers call browsers and SIP devices through one process.

  deno task start [options]

  --host [ADDRESS]    let other machines in; all addresses where none is given
  --config FILE       settings that differ from config/default.jsonc
  --properties FILE   take over what has a meaning here from a flashphoner.properties
  --workers N         media workers ("auto": cores minus one)
  --no-ffi            media by the portable shell, without system libraries
  --check-config      print the settings that result, secrets masked, and end
  --version           print the version and end
  --help              print this and end

Every key of config/default.jsonc is an environment variable too: media.portFrom is
PORTZERO_MEDIA_PORT_FROM. Options win over variables, variables over the file. Another port:

  PORTZERO_HTTP_PORT=9090 deno task start`;

type OptionField = "configFile" | "propertiesFile" | "host" | "workers";

/** Options that stand for a setting by themselves. */
const FLAGS: Readonly<Record<string, Partial<CommandLine>>> = { "--no-ffi": { ffi: "off" } };

interface Option {
  readonly field?: OptionField;
  readonly request?: CommandLine["request"];
  /** What the value is called in a message; absent: the option takes none. */
  readonly value?: string;
  /** Taken where the value is left out; absent: it must not be. */
  readonly otherwise?: string;
}

const OPTIONS: Readonly<Record<string, Option>> = {
  "--config": { field: "configFile", value: "a file" },
  "--properties": { field: "propertiesFile", value: "a file" },
  "--host": { field: "host", value: "an address", otherwise: "0.0.0.0" },
  "--workers": { field: "workers", value: "a number" },
  "--check-config": { request: "check" },
  "--help": { request: "help" },
  "-h": { request: "help" },
  "--version": { request: "version" },
};

/** Reads the options; `--name VALUE` and `--name=VALUE` are the same. */
export function parseCommandLine(args: readonly string[]): Result<CommandLine, ConfigFault[]> {
  const fields: { [F in OptionField]?: string } = {};
  const faults: ConfigFault[] = [];
  let flags: Partial<CommandLine> = {};
  let request: CommandLine["request"] = "start";
  const fault = (key: string, text: string) => faults.push({ key, text });
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--") continue;
    const equals = arg.startsWith("--") ? arg.indexOf("=") : -1;
    const name = equals < 0 ? arg : arg.slice(0, equals);
    if (Object.hasOwn(FLAGS, name)) {
      if (equals >= 0) fault(name, `${name} takes no value`);
      flags = { ...flags, ...FLAGS[name] };
      continue;
    }
    const option = Object.hasOwn(OPTIONS, name) ? OPTIONS[name]! : undefined;
    if (!option) {
      if (!name.startsWith("-")) {
        fault(name, `unexpected argument "${name}": expected options, see --help`);
        continue;
      }
      fault(name, `unknown option ${name}: ${meantBy(name)}`);
      // What stands behind it was meant as its value.
      if (equals < 0 && args[i + 1]?.startsWith("-") === false) i++;
      continue;
    }
    if (option.request) {
      if (equals >= 0) fault(name, `${name} takes no value`);
      // Asking for help wins over everything else that is asked for.
      if (request !== "help") request = option.request;
      continue;
    }
    let value = equals < 0 ? undefined : arg.slice(equals + 1);
    const following = args[i + 1];
    if (value === undefined && following !== undefined && !following.startsWith("-")) {
      value = following;
      i++;
    }
    value ??= option.otherwise;
    if (value === undefined || value === "") fault(name, `${name} needs ${option.value} after it`);
    else fields[option.field!] = value;
  }
  return faults.length > 0 ? err(faults) : ok({ request, ...fields, ...flags });
}

/** Slips, of as many letters; what is farther off is something else. */
const MOST_SLIPS = 3;

/** What somebody may have meant by an option that there is not: a key, or another option. */
function meantBy(name: string): string {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  const wanted = plain(name);
  const keys = [...CONFIG_KEYS.keys()];
  const whole = keys.filter((key) => plain(key) === wanted);
  const lastPart = (key: string) => plain(key.slice(key.lastIndexOf(".") + 1));
  const found = whole.length > 0 ? whole : keys.filter((key) => lastPart(key) === wanted);
  if (found.length > 0) {
    const settings = found.map(settingOf).join(", ");
    return `expected a key of a --config file, or the variable: ${settings}`;
  }
  const known = [...Object.keys(OPTIONS), ...Object.keys(FLAGS)]
    .filter((key) => key.startsWith("--"));
  const near = nearest(name, known);
  return editDistance(name, near) <= MOST_SLIPS ? `did you mean ${near}?` : "see --help";
}
