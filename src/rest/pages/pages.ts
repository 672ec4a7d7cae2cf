import { createHash } from "node:crypto";
import { pathToFileURL } from "node:url";
import deno from "../../../deno.json" with { type: "json" };
import type { Log } from "../../core/log.ts";
import type { Pages, StaticFile } from "../types.ts";
import { bundle, BUNDLE_NAMES, type Bundles, PAGE_NAMES } from "./bundle.ts";
import { contentHash, staticFile } from "./static_file.ts";
import { VendorPackage } from "./vendor.ts";

export interface PagesOptions {
  /** Directory with `phone/`, `console/`, `papers/` and `shared/`; ours where absent. */
  readonly web?: URL;
  /** Directory where bundles are kept from one start to the next; absent: nowhere. */
  readonly cache?: string;
  readonly log: Log;
}

/** The repository's `web/`. */
const WEB = new URL("../../../web/", import.meta.url);

/** Builds the pages, or takes them from the cache where nothing has changed since. */
export async function createPages(options: PagesOptions): Promise<Pages> {
  const web = options.web ?? WEB;
  const sources = await readTree(web);
  const bundles = await cachedBundles(web, sourceHash(sources), options);
  const files = new Map<string, StaticFile>();
  const names = new Map<string, string>();
  for (const [name, body] of bundles) {
    const hashed = name.replace(/(\.[^.]+)$/, `-${contentHash(body)}$1`);
    names.set(`/assets/${name}`, `/assets/${hashed}`);
    files.set(`/assets/${hashed}`, staticFile(name, body, true));
    // The plain name too, for whoever links to it; a browser asks again each time.
    files.set(`/assets/${name}`, staticFile(name, body, false));
  }
  for (const name of PAGE_NAMES) {
    const html = sources.get(`${name}/index.html`);
    if (!html) {
      throw new Error(`Cannot serve the page ${name}: ${name}/index.html is missing in web`);
    }
    const text = new TextDecoder().decode(html)
      .replace(/\/assets\/[\w.-]+/g, (asset) => names.get(asset) ?? asset);
    const path = name === "phone" ? "/" : `/${name}`;
    files.set(path, staticFile("index.html", new TextEncoder().encode(text), false));
  }
  const vendor = new VendorPackage();
  return { page: (path) => files.get(path), sdk: (path) => vendor.read(path) };
}

type Tree = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

/** All files below `root` by relative path, in a fixed order. */
async function readTree(root: URL): Promise<Tree> {
  const files: [string, Uint8Array<ArrayBuffer>][] = [];
  const walk = async (directory: URL, prefix: string): Promise<void> => {
    for await (const entry of Deno.readDir(directory)) {
      const name = encodeURIComponent(entry.name);
      if (entry.isDirectory) await walk(new URL(`${name}/`, directory), `${prefix}${entry.name}/`);
      else files.push([prefix + entry.name, await Deno.readFile(new URL(name, directory))]);
    }
  };
  await walk(root, "");
  return new Map(files.sort(([a], [b]) => a < b ? -1 : 1));
}

/** Changes with every source, the pinned packages and the way the bundles are made. */
function sourceHash(sources: Tree): string {
  const hash = createHash("sha256").update(JSON.stringify(deno.imports)).update(bundle.toString());
  for (const [path, body] of sources) hash.update(`${path}\0${body.length}\0`).update(body);
  return hash.digest("hex").slice(0, 32);
}

async function cachedBundles(web: URL, key: string, options: PagesOptions): Promise<Bundles> {
  const cache = options.cache === undefined ? undefined : pathToFileURL(`${options.cache}/`);
  const directory = cache && new URL(`pages-${key}/`, cache);
  const kept = directory && await readTree(directory).catch(() => undefined);
  if (kept && isWhole(kept)) return kept;
  const made = await bundle(web);
  if (directory) {
    await keep(directory, cache!, made).catch((error: unknown) => {
      options.log.warn("The built pages could not be kept for the next start", { error });
    });
  }
  return made;
}

/** Two starts at once, or one cut short, must not leave half a cache that is believed. */
function isWhole(bundles: Bundles): boolean {
  return BUNDLE_NAMES.every((name) => bundles.has(name));
}

async function keep(directory: URL, cache: URL, bundles: Bundles): Promise<void> {
  await Deno.mkdir(cache, { recursive: true });
  for await (const entry of Deno.readDir(cache)) {
    if (/^pages-[0-9a-f]{32}(?:-new)?$/.test(entry.name)) {
      await Deno.remove(new URL(entry.name, cache), { recursive: true });
    }
  }
  const unfinished = new URL(`${directory.href.slice(0, -1)}-new/`);
  await Deno.mkdir(unfinished);
  for (const [name, body] of bundles) await Deno.writeFile(new URL(name, unfinished), body);
  await Deno.rename(unfinished, directory);
}
