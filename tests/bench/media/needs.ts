import { fileURLToPath } from "node:url";

/** Programs and libraries that the benches of the media engine work with, on Debian. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  cc: ["gcc", "libc6-dev", "libssl-dev"],
  rtpengine: ["rtpengine-daemon"],
  openssl: ["openssl"],
};
const NATIVE = fileURLToPath(new URL("../native/", import.meta.url));
const VERSION: Readonly<Record<string, readonly string[]>> = {
  cc: ["--version"],
  rtpengine: ["--version"],
  openssl: ["version"],
};

/** Whether a command runs and succeeds. */
export async function installed(command: string, args: readonly string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, {
      args: [...args],
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}

/** Installs what is missing where that is allowed; gives whether the program is there now. */
export async function need(program: "cc" | "rtpengine" | "openssl"): Promise<boolean> {
  const has = () => installed(program, VERSION[program] ?? []);
  if (await has()) return true;
  await installed("apt-get", ["install", "-y", "--no-install-recommends", ...PACKAGES[program]!]);
  return await has();
}

/** Compiles programs of `tests/bench/native` into the folder. */
export async function buildNative(folder: string, names: readonly string[]): Promise<void> {
  if (!await need("cc")) throw new Error("no C compiler: install gcc, libc6-dev and libssl-dev");
  for (const name of names) {
    const args = ["-O2", "-o", `${folder}/${name}`, `${NATIVE}${name}.c`, "-lcrypto"];
    const { success, stderr } = await new Deno.Command("cc", { args }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  }
}
