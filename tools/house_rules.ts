/**
 * Who may import whom, and what pure rooms may use; docs/HACKING.md says it in words. Paths are
 * relative to the repository, with slashes.
 */

/** Where a file stands. */
export interface Place {
  /** `core`, `sip` ... under src; else `web`, `tests`, `tools`; `main` for main.ts; `other`. */
  readonly room: string;
  /** In a folder `io`: may touch the world outside. */
  readonly io: boolean;
}

/** Rooms under src, and whose code (without `io/`) each may import beside its own. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  sip: ["core"],
  sdp: ["core"],
  rtp: ["core"],
  actors: ["core", "sip", "sdp", "rtp"],
  websdk: ["core", "actors"],
  rest: ["core", "actors"],
  // Ties the rooms together for main.ts, and is nobody else's.
  house: ["core", "sip", "sdp", "rtp", "actors", "websdk", "rest"],
};

/** Rooms that use no clock, chance, timers, sockets or promises of their own, except in `io/`. */
const PURE_ROOMS = new Set(["core", "sip", "sdp", "rtp", "actors", "websdk"]);

/** Files that say what goes over the wire to the pages; pages may import their types. */
const WIRE_TYPES = new Set([
  "src/websdk/wire.ts",
  "src/rest/types.ts",
  "src/actors/control_plane.ts",
  "src/core/termination.ts",
]);

/** Packages whose functions compute and do nothing else. */
const PURE_PACKAGES = new Set(["xstate", "sdp-transform", "zod"]);

/** Of `node:` modules, the names that compute and do nothing else; `true`: all of them. */
const PURE_NODE: Readonly<Record<string, true | readonly string[]>> = {
  "node:assert": true,
  "node:assert/strict": true,
  "node:buffer": true,
  "node:crypto": ["createHash", "createHmac", "hash", "timingSafeEqual"],
};

export function placeOf(path: string): Place {
  if (path === "main.ts") return { room: "main", io: true };
  const parts = path.split("/");
  const room = parts[0] === "src" ? parts[1] : parts[0];
  const known = parts[0] === "src" ? room !== undefined && room in MAY_IMPORT : parts.length > 1;
  return {
    room: known && room !== undefined ? room : "other",
    io: parts[0] === "src" && parts.slice(2, -1).includes("io"),
  };
}

export function isPure(path: string): boolean {
  const { room, io } = placeOf(path);
  return path.startsWith("src/") && PURE_ROOMS.has(room) && !io;
}

/**
 * Why `from` may not import the file `to`, or undefined where it may.
 * @param typesOnly the import vanishes when types are stripped
 */
export function refuseImport(from: string, to: string, typesOnly: boolean): string | undefined {
  const importer = placeOf(from);
  const imported = placeOf(to);
  if (imported.room === "main") return "nothing imports main.ts";
  if (importer.room === "main" || importer.room === "tests" || importer.room === "tools") {
    return undefined;
  }
  if (importer.room === "web") {
    if (imported.room === "web") return undefined;
    if (!WIRE_TYPES.has(to)) return `pages import wire types only: ${[...WIRE_TYPES].join(", ")}`;
    return typesOnly ? undefined : "pages import wire types by `import type` only";
  }
  const allowed = MAY_IMPORT[importer.room];
  if (allowed === undefined) return undefined;
  // The version number has one home.
  if (to === "deno.json" && !isPure(from)) return undefined;
  if (!to.startsWith("src/")) return `src does not import ${to}`;
  if (imported.room !== importer.room && !allowed.includes(imported.room)) {
    const may = ["itself", ...allowed].join(", ");
    return `${importer.room} may import ${may}; not ${imported.room}`;
  }
  if (importer.room === "house") return undefined;
  if (!imported.io || importer.io && ["core", importer.room].includes(imported.room)) {
    return undefined;
  }
  // The rest room is a shell as a whole: it serves, so it may use its own io folder.
  if (importer.room === "rest" && imported.room === "rest") return undefined;
  return importer.io
    ? `${importer.room}/io may import io of core and its own only; not ${imported.room}/io`
    : `${importer.room} may not import from an io folder (${to})`;
}

/**
 * Why a pure file may not import `names` of a package or `node:` module, or undefined where it may.
 * @param names imported names; empty for `import *` and the like
 */
export function refusePackage(specifier: string, names: readonly string[]): string | undefined {
  const node = PURE_NODE[specifier];
  if (node === true) return undefined;
  if (node !== undefined) {
    const bad = names.length === 0 ? "*" : names.find((name) => !node.includes(name));
    return bad === undefined
      ? undefined
      : `pure folders take only ${node.join(", ")} of ${specifier}; not ${bad}`;
  }
  const name = specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  return PURE_PACKAGES.has(name) ? undefined : `pure folders may not import ${specifier}`;
}

/** Resolves a relative specifier against the importer's path; undefined: leaves the repository. */
export function resolvePath(from: string, specifier: string): string | undefined {
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "." || part === "") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join("/");
}
