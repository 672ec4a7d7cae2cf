import { resolvePath } from "./house_rules.ts";

/**
 * What neither formatter nor linter looks for: sizes, left-over notes, paths of somebody's machine,
 * files that nothing uses.
 */

/** Lines of a file: above the first it is reported, above the second it is a fault. */
export const LONG_FILE = 300;
export const TOO_LONG_FILE = 600;
export const MAX_COLUMNS = 100;

export interface SourceFile {
  /** Relative to the repository, with slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Finding {
  readonly path: string;
  /** From 1; 0: the file as a whole. */
  readonly line: number;
  readonly text: string;
  /** False: worth knowing, no failure. */
  readonly fault: boolean;
}

const FOLDERS = ["src", "web", "tests", "tools", "docs", "config", ".ci"];
const TOP_FILES = ["main.ts", "deno.json", "README.md", "CHANGELOG.md"];
const TEXT_FILE = /\.(?:ts|tsx|css|html|md|json|jsonc)$|^\.ci\//;
const CODE_FILE = /\.tsx?$/;
/** Words of notes to oneself; put together so that this file does not find itself. */
const NOTE = new RegExp(
  `\\b(?:${["TO" + "DO", "FIX" + "ME", "X".repeat(3), "HA" + "CK"].join("|")})\\b`,
);
const MACHINE_PATH = machinePath(["work", "root", "tmp", "home/[a-z]+", "Users/[A-Za-z]+"]);
/** Tests may speak of made-up homes. */
const MACHINE_PATH_IN_TESTS = machinePath(["work"]);
const IMPORT = /(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g;
const LOCAL_URL = /new URL\(\s*"(\.{1,2}\/[^"]+)"/g;

function machinePath(folders: readonly string[]): RegExp {
  return new RegExp(`(?:^|[\\s"'\`(=:,\\[])/(?:${folders.join("|")})(?:/|["'\`\\s)]|$)`);
}

/** Reads what is looked at. */
export function readSources(root: string): SourceFile[] {
  const paths = [
    ...TOP_FILES.filter((path) => exists(root + path)),
    ...FOLDERS.flatMap((folder) => exists(root + folder) ? walk(root, folder) : []),
  ];
  return paths.filter((path) => TEXT_FILE.test(path))
    .map((path) => ({ path, text: Deno.readTextFileSync(root + path) }));
}

/** Everything found, faults first. */
export function findUntidy(files: readonly SourceFile[]): Finding[] {
  return [...files.flatMap(inspect), ...unused(files)]
    .sort((a, b) => Number(b.fault) - Number(a.fault));
}

function inspect({ path, text }: SourceFile): Finding[] {
  const found: Finding[] = [];
  const lines = text.split("\n");
  const code = CODE_FILE.test(path);
  const machine = path.startsWith("tests/") ? MACHINE_PATH_IN_TESTS : MACHINE_PATH;
  const length = lines.length - 1;
  if (code && length > LONG_FILE) {
    const fault = length > TOO_LONG_FILE;
    const limit = fault ? TOO_LONG_FILE : LONG_FILE;
    found.push({ path, line: 0, text: `${length} lines; above ${limit}`, fault });
  }
  for (const [index, line] of lines.entries()) {
    const add = (what: string) => found.push({ path, line: index + 1, text: what, fault: true });
    // An address or a specimen of text cannot be broken.
    if (code && line.length > MAX_COLUMNS && !/https?:|["'`/]/.test(line)) {
      add(`${line.length} columns; at most ${MAX_COLUMNS}`);
    }
    if (NOTE.test(line)) add(`left-over note: ${line.trim().slice(0, 60)}`);
    if (machine.test(line)) add(`path of a machine: ${line.trim().slice(0, 60)}`);
  }
  return found;
}

/** Modules that are neither started, nor imported, nor named by anybody. */
function unused(files: readonly SourceFile[]): Finding[] {
  const used = new Set<string>(["main.ts"]);
  const code = files.filter(({ path }) => CODE_FILE.test(path));
  for (const { path, text } of code) {
    for (const pattern of [IMPORT, LOCAL_URL]) {
      for (const [, specifier] of text.matchAll(pattern)) {
        const target = resolvePath(path, specifier!);
        if (target !== undefined && target !== path) used.add(target);
      }
    }
  }
  const manifest = files.find(({ path }) => path === "deno.json")?.text ?? "";
  const isNamed = (path: string) => {
    // Pages are entry points of a bundler, which names them by folder.
    const page = path.startsWith("web/") && /^(?:main|index)\.tsx?$/.test(path.split("/").at(-1)!);
    return page || manifest.includes(path) || /_(?:test|bench)\.tsx?$/.test(path) ||
      path.endsWith(".d.ts") || path.startsWith("tests/bench/");
  };
  return code.filter(({ path }) => !used.has(path) && !isNamed(path))
    .map(({ path }) => ({ path, line: 0, text: "nothing imports it", fault: true }));
}

function walk(root: string, folder: string): string[] {
  const found: string[] = [];
  for (const entry of Deno.readDirSync(root + folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) {
      if (entry.name !== "node_modules" && entry.name !== "fixtures") {
        found.push(...walk(root, path));
      }
    } else found.push(path);
  }
  return found.sort();
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** One line for each finding. */
export function describe({ path, line, text }: Finding): string {
  return `${path}${line === 0 ? "" : `:${line}`}: ${text}`;
}
