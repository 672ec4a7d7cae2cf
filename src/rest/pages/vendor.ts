import manifest from "@flashphoner/websdk/package.json" with { type: "json" };
import type { StaticFile } from "../types.ts";
import { staticFile } from "./static_file.ts";

/**
 * The official Web SDK's package, served from where Deno keeps it, unmodified. The import of its
 * manifest is what makes Deno fetch the package before the server starts.
 */
export const WEB_SDK_VERSION: string = manifest.version;

/** What may be served at all: the bundles in the root and the examples. */
const SHOWN = /^(?:flashphoner[^/]*\.js|examples\/.*)$/;

export function vendorDirectory(): URL {
  return new URL(".", import.meta.resolve("@flashphoner/websdk/package.json"));
}

export class VendorPackage {
  readonly #directory: URL;
  #files: Promise<ReadonlyMap<string, URL>> | undefined;

  constructor(directory: URL = vendorDirectory()) {
    this.#directory = directory;
  }

  /** @param path relative to the package's root; only what the index holds can be read */
  async read(path: string): Promise<StaticFile | undefined> {
    const files = await (this.#files ??= this.#index());
    // The vendor's style sheets write some names in other cases than the files have.
    const url = files.get(path) ?? files.get(path.toLowerCase());
    return url && staticFile(path, await Deno.readFile(url), false);
  }

  /** Walks the package once: looking names up in a list leaves no way out of the directory. */
  async #index(): Promise<ReadonlyMap<string, URL>> {
    const files = new Map<string, URL>();
    const lowerCase = new Map<string, URL>();
    const walk = async (directory: URL, prefix: string): Promise<void> => {
      for await (const entry of Deno.readDir(directory)) {
        const path = prefix + entry.name;
        const name = encodeURIComponent(entry.name);
        if (entry.isDirectory) {
          if (prefix !== "" || entry.name === "examples") {
            await walk(new URL(`${name}/`, directory), `${path}/`);
          }
        } else if (entry.isFile && SHOWN.test(path)) {
          const url = new URL(name, directory);
          files.set(path, url);
          lowerCase.set(path.toLowerCase(), url);
        }
      }
    };
    await walk(this.#directory, "");
    return new Map([...lowerCase, ...files]);
  }
}
