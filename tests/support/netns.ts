/**
 * A network namespace with an address that is not loopback: Firefox takes no 127.0.0.1 candidate.
 * No packet leaves it.
 */

/** From the block for documentation (RFC 5737); it means nothing outside the namespace. */
export const NAMESPACE_ADDRESS = "192.0.2.1";
const OTHER_END = "192.0.2.2";

/** Runs a command in a fresh namespace, gone afterwards; gives back the command's exit code. */
export async function inNamespace(
  ip: string,
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const name = `portzero-${Deno.pid}`;
  await run(ip, "netns", "add", name);
  try {
    await run(ip, "-n", name, "link", "set", "lo", "up");
    await run(ip, "-n", name, "link", "add", "near", "type", "veth", "peer", "name", "far");
    await run(ip, "-n", name, "addr", "add", `${NAMESPACE_ADDRESS}/24`, "dev", "near");
    for (const link of ["near", "far"]) await run(ip, "-n", name, "link", "set", link, "up");
    // Browsers look for the address of their default route.
    await run(ip, "-n", name, "route", "add", "default", "via", OTHER_END);
    const { code } = await new Deno.Command(ip, {
      args: ["netns", "exec", name, ...command],
      env: { ...env },
      stdin: "null",
    }).output().then((output) => {
      Deno.stdout.writeSync(output.stdout);
      Deno.stderr.writeSync(output.stderr);
      return output;
    });
    return code;
  } finally {
    await run(ip, "netns", "delete", name);
  }
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  if (!success) {
    throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
  }
}
