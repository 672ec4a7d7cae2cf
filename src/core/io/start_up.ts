import manifest from "../../../deno.json" with { type: "json" };
import { type CommandLine, HELP, parseCommandLine } from "../config/command_line.ts";
import { describeConfig } from "../config/describe.ts";
import { loadConfig, type LoadedConfig } from "../config/load.ts";
import { fileFault, readFile } from "./files.ts";

/** The version of this server. */
export const VERSION: string = manifest.version;

const DEFAULTS = new URL("../../../config/default.jsonc", import.meta.url);

/** Writes to standard output; a reader that left is no fault. */
export function printLines(lines: readonly string[]): void {
  const bytes = new TextEncoder().encode(lines.join("\n") + "\n");
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  } catch { /* Nobody is left to be told. */ }
}

/** Says why the server cannot start, one sentence a line, and ends the process with 1. */
export function refuseToStart(sentences: readonly string[]): never {
  const bytes = new TextEncoder().encode(sentences.map((text) => `portzero: ${text}\n`).join(""));
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
  } catch { /* The exit code says it too. */ }
  Deno.exit(1);
}

/** The text of `config/default.jsonc`. */
export function readDefaults(): string {
  return Deno.readTextFileSync(DEFAULTS);
}

/** Configuration of this process; ends it where that cannot be had. */
export function loadOrRefuse(commandLine: CommandLine): LoadedConfig {
  let defaults: string;
  try {
    defaults = readDefaults();
  } catch (fault) {
    refuseToStart([`cannot read config/default.jsonc: ${fileFault(fault)}`]);
  }
  const loaded = loadConfig({ commandLine, env: Deno.env.toObject(), defaults, readFile });
  return loaded.ok ? loaded.value : refuseToStart(loaded.error.map(({ text }) => text));
}

/**
 * Everything up to the decision to serve: reads options, answers `--help`, `--version` and
 * `--check-config` and ends the process after them, else gives the configuration.
 */
export function startUp(args: readonly string[]): LoadedConfig {
  const commandLine = parseCommandLine(args);
  if (!commandLine.ok) refuseToStart(commandLine.error.map(({ text }) => text));
  const { request } = commandLine.value;
  if (request === "help" || request === "version") {
    printLines([request === "help" ? HELP : `Port Zero ${VERSION}`]);
    Deno.exit(0);
  }
  const loaded = loadOrRefuse(commandLine.value);
  if (request === "check") {
    printLines([...loaded.warnings.map((text) => `// ${text}`), describeConfig(loaded)]);
    Deno.exit(0);
  }
  return loaded;
}
