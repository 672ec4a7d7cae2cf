import { findNeed, type Need, NEED_NAMES, type NeedName, NEEDS } from "./needs.ts";

/** Longest an apt-get may take, ms. */
const APT_LIMIT = 10 * 60_000;
/** Lines shown of an apt-get that failed. */
const SHOWN_LINES = 15;

/**
 * Looks for what tests need beside Deno and, as root on Debian and its kin, installs what is
 * missing. Gives back the names of what is still missing, each already reported.
 */
export async function installNeeds(): Promise<NeedName[]> {
  const missing = NEED_NAMES.filter((name) => findNeed(name) === undefined);
  const packages = missing.flatMap((name) => {
    const need: Need = NEEDS[name];
    return need.debian === undefined ? [] : [need.debian];
  });
  if (packages.length > 0 && canInstall()) {
    console.log(`Tests need ${packages.join(", ")}: updating the list of packages (apt-get)`);
    if (await aptGet(["update"])) {
      console.log(`Installing ${packages.join(", ")} (apt-get); this takes a minute or two`);
      await aptGet(["install", "--yes", "--no-install-recommends", ...packages]);
    }
  }
  const still = missing.filter((name) => findNeed(name) === undefined);
  for (const name of still) console.log(`Missing: ${name}. ${howToGet(name)}`);
  return still;
}

/** A sentence on how a person gets it. */
export function howToGet(name: NeedName): string {
  const need: Need = NEEDS[name];
  return need.debian === undefined
    ? `To have it: ${need.how}.`
    : `To have it: ${need.how} (Debian, Ubuntu: apt-get install ${need.debian}).`;
}

function canInstall(): boolean {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  try {
    Deno.statSync("/usr/bin/apt-get");
    return true;
  } catch {
    return false;
  }
}

async function aptGet(args: readonly string[]): Promise<boolean> {
  const child = new Deno.Command("/usr/bin/apt-get", {
    args: ["-qq", "-o", "Dpkg::Use-Pty=0", ...args],
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(APT_LIMIT),
  });
  const { success, stdout, stderr } = await child.output();
  if (!success) {
    const decoder = new TextDecoder();
    const lines = `${decoder.decode(stdout)}\n${decoder.decode(stderr)}`.trim().split("\n");
    console.error(`apt-get ${args[0]} failed:\n${lines.slice(-SHOWN_LINES).join("\n")}`);
  }
  return success;
}
