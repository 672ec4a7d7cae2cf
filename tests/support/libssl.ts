import { openLibssl } from "../../src/rtp/io/ffi/libssl.ts";

/** Whether the system has an OpenSSL that can be called. */
export function hasLibssl(): boolean {
  try {
    openLibssl();
    return true;
  } catch {
    return false;
  }
}
