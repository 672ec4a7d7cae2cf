import assert from "node:assert/strict";
import { type Browser, chromium } from "playwright-core";
import { silentLog } from "../../src/core/log.ts";
import { createPages } from "../../src/rest/pages/pages.ts";
import { startWebFace } from "../support/web_face.ts";

/** What a real browser makes of our headers: policies, cookies, and pages of other sites. */

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
  .find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });

/** Playwright keeps timers and sockets of its own, which are not ours to count. */
const options = { ignore: CHROMIUM === undefined, sanitizeOps: false, sanitizeResources: false };

async function withBrowser(run: (browser: Browser) => Promise<void>): Promise<void> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM!,
    args: [
      ...["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
      ...["--no-first-run", "--host-resolver-rules=MAP evil.example 127.0.0.1"],
      ...["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"],
    ],
  });
  try {
    await run(browser);
  } finally {
    await browser.close();
  }
}

Deno.test({
  ...options,
  name: "all pages load whole, without a word of complaint from the browser",
  fn: () =>
    withBrowser(async (browser) => {
      await using face = await startWebFace({ pages: await createPages({ log: silentLog }) });
      const client2 = "/client2/examples/demo/sip";
      const paths: readonly (readonly [string, string])[] = [
        ["/", "body"],
        ["/console", "body"],
        ["/api/docs", "#getCall"],
        ["/problems/not-found", "h1"],
        [`${client2}/phone/phone.html`, "#callBtn"],
        [`${client2}/phone-video/phone-video.html`, "#callBtn"],
        [`${client2}/phone-ui/Phone.html`, "#callButton, body"],
        [`${client2}/click-to-call/click-to-call.html`, "#callBtn"],
      ];
      for (const [path, awaited] of paths) {
        const complaints: string[] = [];
        const page = await browser.newPage();
        page.on("console", (message) => {
          if (["error", "warning"].includes(message.type())) complaints.push(message.text());
        });
        page.on("pageerror", (error) => complaints.push(String(error)));
        page.on("response", (response) => {
          if (response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`);
        });
        await page.goto(face.base + path, { waitUntil: "load" });
        await page.locator(awaited).first().waitFor({ state: "attached", timeout: 5000 });
        assert.deepEqual(complaints, [], path);
        await page.close();
      }
    }),
});

Deno.test({
  ...options,
  name: "an operator types the token, or follows the link with it, and sees the console",
  fn: () =>
    withBrowser(async (browser) => {
      const token = "correct-horse-battery-staple";
      await using face = await startWebFace({ isExposed: true, token });
      const typed = await (await browser.newContext()).newPage();
      await typed.goto(`${face.base}/console`);
      await typed.getByLabel("Token").fill("guess");
      await typed.getByRole("button", { name: "Go on" }).click();
      await typed.getByRole("alert").filter({ hasText: "not the token" }).waitFor();
      await typed.getByLabel("Token").fill(token);
      await typed.getByRole("button", { name: "Go on" }).click();
      await typed.waitForFunction(() => document.title === "page /console");
      assert.equal(await typed.evaluate(() => document.cookie), "", "scripts must not see it");

      // To wherever one wanted to go, but not to somebody else's page.
      for (
        const [wanted, where] of [
          ["/api/docs#getCall", "/api/docs#getCall"],
          ["/api/calls?limit=3", "/api/calls?limit=3"],
          ["/console#view=phones", "/console#view=phones"],
          ["/console/token?next=https://evil.example/", "/console"],
          ["/console/token?next=//evil.example/", "/console"],
          ["/console/token?next=javascript:alert(1)", "/console"],
        ] as const
      ) {
        const page = await (await browser.newContext()).newPage();
        await page.goto(face.base + wanted);
        await page.getByLabel("Token").fill(token);
        await page.keyboard.press("Enter");
        await page.waitForURL(face.base + where);
      }

      const linked = await (await browser.newContext()).newPage();
      await linked.goto(`${face.base}/console#token=${token}`);
      await linked.waitForFunction(() => document.title === "page /console");
      const status = await linked.evaluate(async () => (await fetch("/api/calls")).status);
      assert.equal(status, 200);
    }),
});

Deno.test({
  ...options,
  name: "a page of another site gets nothing done in a real browser",
  fn: () =>
    withBrowser(async (browser) => {
      const opened: string[] = [];
      await using face = await startWebFace({
        onSocket: (_, { origin }) => {
          opened.push(String(origin));
          return { receive() {}, closed() {} };
        },
      });
      face.plane.addCall("call-1");
      const evil = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        () => new Response("<title>evil</title>", { headers: { "content-type": "text/html" } }),
      );
      try {
        const page = await browser.newPage();
        await page.goto(`http://evil.example:${evil.addr.port}/`);
        const outcome = await page.evaluate(async (base) => {
          const attempt = (work: Promise<unknown>) => work.then(() => "through", () => "blocked");
          const body = JSON.stringify({ callId: "call-1" });
          const terminate = `${base}/rest-api/call/terminate`;
          const socket = new WebSocket(base.replace("http", "ws"));
          const socketOutcome = new Promise((resolve) => {
            socket.onopen = () => resolve("through");
            socket.onerror = () => resolve("blocked");
          });
          return {
            json: await attempt(fetch(terminate, {
              method: "POST",
              headers: { "content-type": "application/json" },
              body,
            })),
            // Goes out without asking first; its answer stays closed and its effect must not be.
            plain: await attempt(fetch(terminate, { method: "POST", mode: "no-cors", body })),
            remove: await attempt(fetch(`${base}/api/calls/call-1`, { method: "DELETE" })),
            read: await attempt(fetch(`${base}/api/calls`)),
            socket: await socketOutcome,
          };
        }, face.base);
        const { plain: _, ...visible } = outcome;
        assert.deepEqual(visible, {
          json: "blocked",
          remove: "blocked",
          read: "blocked",
          socket: "blocked",
        });
        assert.equal(face.plane.call("call-1")?.state, "active");
        assert.deepEqual(opened, []);
        // The rebinding form: the foreign name itself leads to us.
        const rebound = await page.goto(`http://evil.example:${face.port}/api/calls`);
        assert.equal(rebound?.status(), 403);
      } finally {
        await evil.shutdown();
      }
    }),
});
