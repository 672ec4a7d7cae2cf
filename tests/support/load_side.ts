import assert from "node:assert/strict";
import type { EndpointToken } from "../../src/core/ids.ts";
import type { EndpointEvent } from "../../src/rtp/media_port.ts";
import type { RtpEndpointEvent, RtpMediaPort } from "../../src/rtp/rtp_media_port.ts";
import type { SrtpEngine } from "../../src/rtp/srtp/cipher.ts";
import { keysOf, LoadPeer } from "./load_peer.ts";

export const PAYLOADS = [
  { payloadType: 0, kind: "audio", codec: "PCMU", clockRate: 8000 },
] as const;

/** One side of a call under load: the leg in a pool, and whoever plays its far end. */
export interface Side {
  readonly handle: { readonly token: Token; connect(peer: Token): void; close(): void };
  readonly peer: LoadPeer;
  readonly told: (EndpointEvent | RtpEndpointEvent)[];
}
export type Token = EndpointToken;

export async function opened<T extends { readonly type: string }>(told: T[]) {
  await holds("opened", () => told.some(({ type }) => type === "opened"));
  return told.find(({ type }) => type === "opened")! as Extract<T, { type: "opened" }>;
}

export async function holds(what: string, check: () => boolean): Promise<void> {
  const end = performance.now() + 60_000;
  while (!check()) {
    assert.ok(performance.now() < end, `${what}: not within a minute`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function phoneSide(
  pool: RtpMediaPort,
  engine: SrtpEngine,
  number: number,
  near: Token | undefined,
  isSecret: boolean,
): Promise<Side> {
  const told: RtpEndpointEvent[] = [];
  const options = { label: `${number}`, towards: "127.0.0.1", media: ["audio"] as const };
  const handle = pool.openRtp({ ...options, ...(near ? { near } : {}) }, (event) => {
    told.push(event);
  });
  const { local } = await opened(told);
  const keys = keysOf(number, 1);
  const peer = new LoadPeer(
    1000 + number,
    65_400 + number % 100,
    isSecret ? { engine, keys } : null,
  );
  peer.aim(local[0]!.port);
  const material = (key: Uint8Array, salt: Uint8Array) => ({
    suite: "AES_CM_128_HMAC_SHA1_80" as const,
    material: Uint8Array.of(...key, ...salt),
  });
  handle.setRemote([{
    address: "127.0.0.1",
    // Half of them are elsewhere than they say.
    port: number % 4 === 0 ? 9 : peer.port,
    rtcpPort: null,
    keys: isSecret
      ? {
        receive: material(keys.remoteKey, keys.remoteSalt),
        send: material(keys.localKey, keys.localSalt),
      }
      : null,
    payloads: PAYLOADS,
    hasFeedback: false,
  }]);
  return { handle, peer, told };
}
