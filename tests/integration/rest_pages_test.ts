import assert from "node:assert/strict";
import { silentLog } from "../../src/core/log.ts";
import { pathToFileURL } from "node:url";
import { createPages } from "../../src/rest/pages/pages.ts";
import { vendorDirectory } from "../../src/rest/pages/vendor.ts";
import { startWebFace } from "../support/web_face.ts";

const EXAMPLES = [
  "phone/phone.html",
  "phone-video/phone-video.html",
  "phone-ui/Phone.html",
  "click-to-call/click-to-call.html",
];
const ROOT = "/client2/examples/demo/sip/";

/** Local addresses that an HTML or CSS text refers to, or that a script loads by name. */
function references(text: string, contentType: string): string[] {
  const patterns = contentType.startsWith("text/html")
    ? [/<(?:script|img|link|source|audio|video)\b[^>]*?\b(?:src|href)\s*=\s*["']([^"'#]+)["']/gi]
    : contentType.startsWith("text/css")
    ? [/url\(\s*["']?([^"')#?]+)/gi]
    : [/\.load\(\s*["']([\w./-]+\.html)["']/g, /initSound\(\s*["']([\w./-]+)["']/g];
  return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1]!))
    .filter((reference) => !/^(?:[a-z]+:|\/\/)/i.test(reference));
}

Deno.test("the vendor's SIP examples find all that they refer to", async () => {
  await using face = await startWebFace({ pages: await createPages({ log: silentLog }) });
  const missing: string[] = [];
  const seen = new Set<string>();
  const queue = EXAMPLES.map((page) => ROOT + page);
  let pageOf = "";
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const response = await face.request(path);
    const type = response.headers.get("content-type") ?? "";
    const text = await response.text();
    if (response.status !== 200) {
      missing.push(path);
      continue;
    }
    assert.notEqual(type, "application/octet-stream", path);
    if (type.startsWith("text/html")) pageOf = path;
    // jQuery's load and sounds are relative to the page, not to the script.
    const base = type.startsWith("text/javascript") && path.includes("/sip/") ? pageOf : path;
    for (const reference of references(text, type)) {
      queue.push(new URL(reference, `http://host${base}`).pathname);
    }
  }
  for (const page of EXAMPLES) assert.ok(seen.has(ROOT + page));
  assert.ok(seen.has("/client2/flashphoner.js"), "the SDK is referred to by a relative path");
  assert.ok(seen.size > 40, `only ${seen.size} files were walked`);
  assert.deepEqual(missing, []);
});

Deno.test("the SDK is the package's own file, byte for byte", async () => {
  await using face = await startWebFace({ pages: await createPages({ log: silentLog }) });
  const original = await Deno.readFile(new URL("flashphoner.js", vendorDirectory()));
  for (const path of ["/sdk/flashphoner.js", "/client2/flashphoner.js"]) {
    const response = await face.request(path);
    assert.match(response.headers.get("content-type") ?? "", /^text\/javascript/);
    const etag = response.headers.get("etag") ?? "";
    assert.deepEqual(await response.bytes(), original);
    const again = await face.request(path, { headers: { "if-none-match": etag } });
    assert.equal(again.status, 304);
    await again.body?.cancel();
  }
});

Deno.test("our pages and all assets that they name are there, hashed", async () => {
  await using face = await startWebFace({ pages: await createPages({ log: silentLog }) });
  for (const [path, name] of [["/", "phone"], ["/console", "console"]] as const) {
    const response = await face.request(path);
    assert.match(response.headers.get("content-type") ?? "", /^text\/html/);
    assert.equal(response.headers.get("cache-control"), "no-cache");
    const html = await response.text();
    const assets = references(html, "text/html");
    for (const ending of ["js", "css"]) {
      const pattern = new RegExp(`^/assets/${name}-[\\w-]{16}\\.${ending}$`);
      assert.ok(assets.some((asset) => pattern.test(asset)), `${path}: ${assets}`);
    }
    for (const asset of assets) {
      const got = await face.request(asset);
      assert.equal(got.status, 200, asset);
      if (asset.startsWith("/assets/")) {
        assert.match(got.headers.get("cache-control") ?? "", /immutable/);
      }
      assert.ok((await got.text()).length > 0);
    }
  }
});

Deno.test("bundles are made once and made again when a source changes", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const web = pathToFileURL(`${directory}/web/`);
    const cache = `${directory}/cache`;
    for (const name of ["phone", "console"]) {
      await Deno.mkdir(new URL(`${name}/`, web), { recursive: true });
      await Deno.writeTextFile(
        new URL(`${name}/index.html`, web),
        `<script type="module" src="/assets/${name}.js"></script>`,
      );
      await Deno.writeTextFile(new URL(`${name}/style.css`, web), "p { color: red }");
      await Deno.writeTextFile(
        new URL(`${name}/main.tsx`, web),
        `import { render } from "preact"; import { useState } from "preact/hooks";
         function App() { const [text] = useState("${name} one"); return <p>{text}</p>; }
         render(<App />, document.body);`,
      );
    }
    await Deno.mkdir(new URL("papers/", web));
    await Deno.writeTextFile(new URL("papers/style.css", web), "p { color: red }");
    const script = async (): Promise<string> => {
      const pages = await createPages({ web, cache, log: silentLog });
      return new TextDecoder().decode(pages.page("/assets/phone.js")!.body);
    };
    assert.ok((await script()).includes("phone one"));
    const kept = [...Deno.readDirSync(cache)].map(({ name }) => name);
    assert.equal(kept.length, 1);
    // What lies in the cache is what the next start serves.
    const cached = `${cache}/${kept[0]}/phone.js`;
    await Deno.writeTextFile(cached, "from the cache");
    assert.equal(await script(), "from the cache");
    await Deno.remove(cached);
    assert.ok((await script()).includes("phone one"));
    const source = new URL("phone/main.tsx", web);
    await Deno.writeTextFile(
      source,
      (await Deno.readTextFile(source)).replace("phone one", "phone two"),
    );
    assert.ok((await script()).includes("phone two"));
    assert.equal([...Deno.readDirSync(cache)].length, 1, "old bundles are removed");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
