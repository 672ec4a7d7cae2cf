import assert from "node:assert/strict";
import plugin from "../../../tools/lint_plugin.ts";

/** Ids of what the plugin finds in `source` if it stood at `path`. */
function lint(path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, path, source).map((found) => `${found.id}: ${found.message}`);
}

function refused(path: string, source: string, pattern: RegExp): void {
  const found = lint(path, source);
  assert.ok(found.length > 0, `nothing found in ${path}: ${source}`);
  assert.match(found.join("\n"), pattern);
}

function accepted(path: string, source: string): void {
  assert.deepEqual(lint(path, source), [], `${path}: ${source}`);
}

const IMPORTS_REFUSED: readonly [path: string, source: string, why: RegExp][] = [
  ["src/core/a.ts", 'import { x } from "../sip/b.ts";', /core may import itself; not sip/],
  ["src/sip/a.ts", 'import { x } from "../sdp/b.ts";', /not sdp/],
  ["src/rtp/srtp/a.ts", 'import type { X } from "../../sip/b.ts";', /not sip/],
  ["src/sip/a.ts", 'import { x } from "./io/udp.ts";', /io folder/],
  ["src/sip/message/a.ts", 'import { x } from "../../core/io/b.ts";', /io folder/],
  ["src/sip/io/a.ts", 'import { x } from "../../rtp/b.ts";', /not rtp/],
  ["src/actors/a.ts", 'import { x } from "../rtp/io/b.ts";', /io folder/],
  ["src/actors/a.ts", 'import { x } from "../websdk/b.ts";', /not websdk/],
  ["src/websdk/a.ts", 'import { x } from "../sip/b.ts";', /not sip/],
  ["src/rest/a.ts", 'import { x } from "../sip/b.ts";', /not sip/],
  ["src/rest/a.ts", 'import { x } from "../../tests/b.ts";', /src does not import tests\/b/],
  ["src/rest/a.ts", 'import { x } from "../../main.ts";', /nothing imports main/],
  ["tests/unit/a.ts", 'import "../../main.ts";', /nothing imports main/],
  ["src/core/a.ts", 'export { x } from "../sip/b.ts";', /not sip/],
  ["src/core/a.ts", 'export * from "../sip/b.ts";', /not sip/],
  ["src/rest/a.ts", 'const x = await import("../sip/b.ts");', /not sip/],
  ["src/core/a.ts", 'type X = import("../sip/b.ts").X;', /not sip/],
  ["web/phone/a.ts", 'import type { X } from "../../src/actors/call.ts";', /wire types only/],
  ["web/phone/a.ts", 'import { X } from "../../src/websdk/wire.ts";', /import type/],
  ["src/core/a.ts", 'import { x } from "../../../elsewhere.ts";', /outside the repository/],
  ["src/rest/a.ts", 'import { x } from "jsr:@std/assert";', /only npm/],
  ["src/rest/a.ts", 'import { x } from "https://example.org/a.ts";', /only npm/],
  ["src/sip/a.ts", 'import deno from "../../deno.json" with { type: "json" };', /deno.json/],
  ["src/sip/a.ts", 'import { connect } from "node:net";', /may not import node:net/],
  ["src/sip/a.ts", 'import { randomBytes } from "node:crypto";', /not randomBytes/],
  ["src/sip/a.ts", 'import * as c from "node:crypto";', /not \*/],
  ["src/sip/a.ts", 'import { Hono } from "hono";', /may not import hono/],
];

const IMPORTS_ACCEPTED: readonly [path: string, source: string][] = [
  ["src/sip/message/a.ts", 'import { x } from "../../core/b.ts"; import { y } from "../c.ts";'],
  ["src/sip/io/a.ts", 'import { x } from "../stack.ts"; import { y } from "../../core/io/b.ts";'],
  ["src/sip/io/a.ts", 'import { createSocket } from "node:net"; import { z } from "./b.ts";'],
  ["src/actors/a.ts", 'import { x } from "../rtp/b.ts"; import { setup } from "xstate";'],
  ["src/websdk/a.ts", 'import { x } from "../actors/b.ts"; import { z } from "zod";'],
  ["src/rest/a.ts", 'import { Hono } from "hono"; import { x } from "../actors/b.ts";'],
  ["src/core/a.ts", 'import { createHash, createHmac, hash, timingSafeEqual } from "node:crypto";'],
  ["src/core/io/a.ts", 'import deno from "../../../deno.json" with { type: "json" };'],
  ["main.ts", 'import { x } from "./src/rest/a.ts"; import { y } from "./src/sip/io/b.ts";'],
  ["tests/unit/a.ts", 'import { x } from "../../src/sip/io/b.ts"; import fc from "fast-check";'],
  ["web/phone/a.ts", 'import type { X } from "../../src/websdk/wire.ts"; import "../shared/b.ts";'],
];

for (const [path, source, why] of IMPORTS_REFUSED) {
  Deno.test(`tools/lint imports: ${path} may not: ${source}`, () => refused(path, source, why));
}

for (const [path, source] of IMPORTS_ACCEPTED) {
  Deno.test(`tools/lint imports: ${path} may: ${source}`, () => accepted(path, source));
}

const IMPURE: readonly string[] = [
  "export const a = Deno.env.get('x');",
  "export type A = Deno.NetAddr;",
  "export const a = Date.now();",
  "export const a = new Date();",
  "export const a = Date();",
  "export const now = Date;",
  "export const a = performance.now();",
  "export const a = Math.random();",
  "const { random } = Math; export const a = random();",
  "export const a = Math['random']();",
  "export const a = crypto.getRandomValues(new Uint8Array(1));",
  "export const a = crypto.randomUUID();",
  "setTimeout(() => {}, 1);",
  "clearTimeout(1);",
  "setInterval(() => {}, 1);",
  "queueMicrotask(() => {});",
  "export const a = globalThis.setTimeout;",
  "export async function a() {}",
  "export const a = async () => {};",
  "export class A { async b() {} }",
  "export const a = { async b() {} };",
  "export const a = await 1;",
  "export function a(x: Promise<void>) { return x; }",
  "export const a = Promise.resolve();",
  "for await (const x of y) x();",
  "export const a = fetch('x');",
  "export const a = { setTimeout };",
  "export const a = new WebSocket('ws://x');",
  "export const a = import('./b.ts');",
];

const PURE: readonly string[] = [
  "export const a = (clock: Clock) => clock.setTimeout(() => {}, 1);",
  "export interface Clock { setTimeout(fn: () => void, ms: number): unknown }",
  "export class ManualClock { setTimeout(fn: () => void) { fn(); } }",
  "export const a = { setTimeout: 1, performance: 2 };",
  "export const a = new Date(5).toISOString();",
  "export const a = Date.UTC(2026, 0, 1) + Date.parse('2026-01-01');",
  "export function a(when: Date) { return when; }",
  "export const a = Math.floor(1.5);",
  "export function a(fetch: () => void) { fetch(); }",
  "export function a({ process }: { process: () => void }) { process(); }",
  "const crypto = 1; export const a = crypto;",
  "export function* a() { yield 1; }",
];

for (const source of IMPURE) {
  Deno.test(`tools/lint pure: refuses ${source}`, () => {
    for (const room of ["core", "sip/message", "sdp", "rtp/engine", "actors", "websdk"]) {
      refused(`src/${room}/a.ts`, source, /portzero\/pure/);
    }
    for (const free of ["src/sip/io/a.ts", "src/rtp/io/a.ts", "src/rest/a.ts", "tests/a.ts"]) {
      assert.deepEqual(lint(free, source).filter((found) => found.includes("/pure")), []);
    }
  });
}

for (const source of PURE) {
  Deno.test(`tools/lint pure: takes ${source}`, () => accepted("src/actors/a.ts", source));
}
