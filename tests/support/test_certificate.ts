import assert from "node:assert/strict";
import { ensureCertificate, type ServerCertificate } from "../../src/core/io/certificate.ts";
import { systemClock } from "../../src/core/io/system_clock.ts";
import { systemEntropy } from "../../src/core/io/system_entropy.ts";

/** A self-signed certificate for localhost and 127.0.0.1, made as the server makes its own. */
export async function testCertificate(): Promise<ServerCertificate> {
  const directory = await Deno.makeTempDir();
  try {
    const made = await ensureCertificate({
      certificateFile: "",
      keyFile: "",
      directory,
      names: [],
      clock: systemClock,
      entropy: systemEntropy,
    });
    assert(made.ok);
    return made.value;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
