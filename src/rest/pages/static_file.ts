import { createHash } from "node:crypto";
import type { StaticFile } from "../types.ts";
import { mediaType } from "./media_type.ts";

/** Short hash of content: for entity tags and names of assets. */
export function contentHash(body: Uint8Array): string {
  return createHash("sha256").update(body).digest("base64url").slice(0, 16);
}

/** @param path decides the content type */
export function staticFile(
  path: string,
  body: Uint8Array<ArrayBuffer>,
  isImmutable: boolean,
): StaticFile {
  return { body, contentType: mediaType(path), etag: `"${contentHash(body)}"`, isImmutable };
}
