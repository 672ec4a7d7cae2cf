import assert from "node:assert/strict";
import { APPLICATION } from "./own/application.ts";
import { MALFORMED } from "./own/malformed.ts";
import { WELL_FORMED } from "./own/well_formed.ts";
import type { Row } from "./rows.ts";

/**
 * Where torture messages come from. The archive of RFC 4475 is not ours to carry: it is read where
 * it lies beside the repository. Messages of our own with the same traps are always there.
 */

export const OWN = { ...WELL_FORMED, ...MALFORMED, ...APPLICATION };
const ARCHIVE = new URL("../../../shared/testdata/torture/rfc4475/", import.meta.url);

export interface Source {
  readonly name: string;
  read(row: Row): Uint8Array;
}

const own: Source = {
  name: "own",
  read: ({ name }) => {
    const made = OWN[name];
    assert.ok(made, `no message of our own for ${name}`);
    return made();
  },
};
const archive: Source = {
  name: "archive",
  read: ({ name }) => Deno.readFileSync(new URL(`${name}.dat`, ARCHIVE)),
};

function hasArchive(): boolean {
  try {
    return Deno.statSync(ARCHIVE).isDirectory;
  } catch {
    return false;
  }
}

export const SOURCES = hasArchive() ? [own, archive] : [own];
