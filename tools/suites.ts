/** A part of the tests that is run in one go. */
export interface Suite {
  readonly name: string;
  /** Folders under tests/. */
  readonly folders: readonly string[];
  /** Needs nothing but Deno and takes seconds. */
  readonly fast: boolean;
  /** Files at the same time; else one after the other, where ports and processors are shared. */
  readonly parallel: boolean;
  /** After which it is ended and counted as failed, minutes. */
  readonly limitMinutes: number;
}

/** In the order in which they run: what fails fast comes first. */
export const SUITES: readonly Suite[] = [
  {
    name: "fast",
    folders: ["unit", "torture", "property", "sim"],
    fast: true,
    parallel: true,
    limitMinutes: 8,
  },
  {
    name: "integration",
    folders: ["integration"],
    fast: false,
    parallel: false,
    limitMinutes: 8,
  },
  { name: "peers", folders: ["peers"], fast: false, parallel: false, limitMinutes: 12 },
  { name: "e2e", folders: ["e2e"], fast: false, parallel: false, limitMinutes: 15 },
];

export interface PlannedSuite {
  readonly suite: Suite;
  /** Relative to the repository. */
  readonly files: readonly string[];
}

/** Suites with the test files whose path contains one of `parts` (all where none is given). */
export function plan(root: string, parts: readonly string[]): PlannedSuite[] {
  return SUITES.map((suite) => {
    const files = suite.folders.flatMap((folder) => testFiles(root, `tests/${folder}`))
      .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)));
    return { suite, files };
  }).filter(({ files }) => files.length > 0);
}

function testFiles(root: string, folder: string): string[] {
  const found: string[] = [];
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(root + folder)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  for (const entry of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...testFiles(root, path));
    else if (/_test\.tsx?$/.test(entry.name)) found.push(path);
  }
  return found;
}
