import assert from "node:assert/strict";
import { silentLog } from "../../src/core/log.ts";
import { systemClock } from "../../src/core/io/system_clock.ts";
import { createWebApp } from "../../src/rest/app.ts";
import { startListeners } from "../../src/rest/serve.ts";
import type { OnSocket, Pages, WebApp, WebAppOptions } from "../../src/rest/types.ts";
import { staticFile } from "../../src/rest/pages/static_file.ts";
import { MemoryControlPlane } from "./memory_control_plane.ts";

/** The web face on a free port of loopback, over a control plane in memory. */
export interface WebFace extends AsyncDisposable {
  readonly plane: MemoryControlPlane;
  readonly app: WebApp;
  readonly port: number;
  /** `http://127.0.0.1:port` */
  readonly base: string;
  request(path: string, init?: RequestInit): Promise<Response>;
  /** A write as a script of our own pages sends it. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
}

/** Pages of one line each, where the real ones are not what is tested. */
export const plainPages: Pages = {
  page: (path) =>
    ["/", "/console"].includes(path)
      ? staticFile("index.html", new TextEncoder().encode(`<title>page ${path}</title>`), false)
      : undefined,
  sdk: (path) =>
    Promise.resolve(
      path === "flashphoner.js"
        ? staticFile(path, new TextEncoder().encode("var Flashphoner;"), false)
        : undefined,
    ),
};

const noProtocol: OnSocket = () => ({ receive() {}, closed() {} });

export async function startWebFace(options: Partial<WebAppOptions> = {}): Promise<WebFace> {
  const plane = new MemoryControlPlane();
  const app = createWebApp({
    controlPlane: plane,
    pages: plainPages,
    onSocket: noProtocol,
    log: silentLog,
    isExposed: false,
    allowedHosts: [],
    allowedOrigins: [],
    version: "0.0.0",
    ...options,
  });
  const started = await startListeners(
    [{ name: "http", host: "127.0.0.1", port: 0 }],
    app,
    silentLog,
    systemClock,
  );
  assert(started.ok);
  const { port } = started.value.listeners[0]!;
  const base = `http://127.0.0.1:${port}`;
  return {
    plane,
    app,
    port,
    base,
    request: (path, init) => fetch(base + path, init),
    post: (path, body, headers = {}) =>
      fetch(base + path, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      }),
    [Symbol.asyncDispose]: () => started.value.shutdown(1000),
  };
}

/** Sends `request` as it is (fetch would tidy path and Host up) and gives back status and head. */
export async function rawRequest(
  port: number,
  request: string,
): Promise<{ readonly status: number; readonly text: string }> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(request));
  let text = "";
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(16_384);
  for (;;) {
    const length = await connection.read(buffer);
    if (length === null) break;
    text += decoder.decode(buffer.subarray(0, length), { stream: true });
  }
  return { status: Number(/^HTTP\/1\.[01] (\d+)/.exec(text)?.[1]), text };
}
