import type { Plugin } from "esbuild";

/** Makes scripts and style sheets of `web/` with esbuild. */

export const PAGE_NAMES = ["phone", "console"] as const;
export type PageName = (typeof PAGE_NAMES)[number];
/** Style of the pages that the server itself writes. */
const STYLES = ["papers"] as const;

/** Everything that is made. */
export const BUNDLE_NAMES: readonly string[] = [
  ...PAGE_NAMES.flatMap((name) => [`${name}.js`, `${name}.css`]),
  ...STYLES.map((name) => `${name}.css`),
];

/** Path below `/assets/` without hash (`phone.js`, `phone.css`) -> content. */
export type Bundles = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

/** Packages that the pages may import; with Deno they lie where only Deno can say. */
const PACKAGES = /^preact(?:\/|$)/;

const npmPackages: Plugin = {
  name: "npm packages of deno.json",
  setup(build) {
    build.onResolve(
      { filter: PACKAGES },
      ({ path }) => ({ path: filePath(import.meta.resolve(path)) }),
    );
  },
};

/** @param web the directory with `phone/`, `console/` and `papers/` */
export async function bundle(web: URL): Promise<Bundles> {
  // Loaded only when something has changed: a warm start takes the bundles from the cache.
  const [esbuild] = await Promise.all([import("esbuild"), import("preact")]);
  try {
    const result = await esbuild.build({
      entryPoints: [
        ...PAGE_NAMES.map((name) => ({
          in: filePath(new URL(`${name}/main.tsx`, web).href),
          out: name as string,
        })),
        ...[...PAGE_NAMES, ...STYLES].map((name) => ({
          in: filePath(new URL(`${name}/style.css`, web).href),
          out: name,
        })),
      ],
      outdir: "assets",
      write: false,
      bundle: true,
      minify: true,
      format: "esm",
      platform: "browser",
      target: ["es2022"],
      jsx: "automatic",
      jsxImportSource: "preact",
      loader: { ".svg": "dataurl", ".woff2": "dataurl", ".png": "dataurl" },
      legalComments: "none",
      logLevel: "silent",
      plugins: [npmPackages],
    });
    return new Map(result.outputFiles.map((file) => [
      file.path.replace(/^.*[\\/]/, ""),
      new Uint8Array(file.contents),
    ]));
  } finally {
    // Its subprocess would keep ours from ending.
    await esbuild.stop();
  }
}

function filePath(url: string): string {
  const path = decodeURIComponent(new URL(url).pathname);
  return Deno.build.os === "windows" ? path.slice(1) : path;
}
