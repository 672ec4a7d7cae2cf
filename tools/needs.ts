/**
 * What some tests need beside Deno: programs and libraries of the system, each with where to look
 * for it and how to get it. A need that is not there makes its tests skipped, never green.
 */

export interface Need {
  /** Names looked up in PATH and the usual folders of programs, first found wins. */
  readonly commands: readonly string[];
  /** In place of commands: file names of a shared library, first that loads wins. */
  readonly libraries?: readonly string[];
  /** Package of Debian and Ubuntu that brings it; undefined: a property of the machine. */
  readonly debian?: string;
  /** For a person elsewhere. */
  readonly how: string;
  /**
   * Arguments of a trial that must succeed, each run with the command found; the last cleans up.
   */
  readonly trial?: readonly (readonly string[])[];
}

/** Namespace of the trial; a name of its own for each process, so that two runs don't meet. */
const TRIAL_NAMESPACE = `portzero-trial-${Deno.pid}`;

export const NEEDS = {
  chromium: {
    commands: [
      "chromium",
      "chromium-browser",
      "google-chrome",
      "google-chrome-stable",
      "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
      "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ],
    debian: "chromium",
    how: "install Chromium or Google Chrome",
  },
  firefox: {
    commands: ["firefox-esr", "firefox", "/Applications/Firefox.app/Contents/MacOS/firefox"],
    debian: "firefox-esr",
    how: "install Firefox",
  },
  ip: {
    commands: ["ip"],
    debian: "iproute2",
    how: "Linux only: install iproute2",
  },
  sipp: {
    commands: ["sipp"],
    debian: "sip-tester",
    how: "install SIPp",
  },
  baresip: {
    commands: ["baresip"],
    debian: "baresip-core",
    how: "install baresip",
  },
  linphone: {
    commands: ["linphonec"],
    debian: "linphone-cli",
    how: "install Linphone's console phone",
  },
  sipvicious: {
    commands: ["svwar"],
    debian: "sipvicious",
    how: "install SIPVicious",
  },
  kamailio: {
    commands: ["kamailio"],
    debian: "kamailio",
    how: "install Kamailio",
  },
  tshark: {
    commands: ["tshark", "/Applications/Wireshark.app/Contents/MacOS/tshark"],
    debian: "tshark",
    how: "install tshark (Wireshark)",
  },
  netns: {
    commands: ["ip"],
    how: "Linux only: run as root where network namespaces may be made (`ip netns add`)",
    trial: [["netns", "add", TRIAL_NAMESPACE], ["netns", "delete", TRIAL_NAMESPACE]],
  },
  "espeak-ng": {
    commands: ["espeak-ng"],
    debian: "espeak-ng",
    how: "install eSpeak NG",
  },
  ffmpeg: {
    commands: ["ffmpeg"],
    debian: "ffmpeg",
    how: "install FFmpeg",
  },
  speexenc: {
    commands: ["speexenc"],
    debian: "speex",
    how: "install Speex's command line programs",
  },
  cc: {
    commands: ["cc"],
    how: "install a C compiler and OpenSSL's headers (Debian, Ubuntu: gcc, libc6-dev, libssl-dev)",
    trial: [["-fsyntax-only", "-include", "openssl/evp.h", "-x", "c", "/dev/null"]],
  },
  libcrypto: {
    commands: [],
    libraries: ["libcrypto.so.3", "libcrypto.so.1.1"],
    debian: "libssl3",
    how: "Linux only: install OpenSSL",
  },
  libopus: {
    commands: [],
    libraries: ["libopus.so.0", "libopus.0.dylib"],
    debian: "libopus0",
    how: "install libopus",
  },
  libspeex: {
    commands: [],
    libraries: ["libspeex.so.1", "libspeex.1.dylib"],
    debian: "libspeex1",
    how: "install libspeex",
  },
  libbcg729: {
    commands: [],
    libraries: ["libbcg729.so.0", "libbcg729.0.dylib"],
    debian: "libbcg729-0",
    how: "install libbcg729",
  },
  libspandsp: {
    commands: [],
    libraries: ["libspandsp.so.2", "libspandsp.2.dylib"],
    debian: "libspandsp2",
    how: "install SpanDSP",
  },
} as const satisfies Readonly<Record<string, Need>>;

export type NeedName = keyof typeof NEEDS;

export const NEED_NAMES = Object.keys(NEEDS) as NeedName[];

/**
 * Names of needs, with commas, that whoever starts the tests has found missing. The server, which
 * inherits it, refuses variables of its own prefix that it doesn't know.
 */
export const WITHOUT_VARIABLE = "TESTS_WITHOUT";

/** Folders beside PATH: a plain user's PATH often lacks those of the administrator. */
const MORE_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** Path of what serves the need, or undefined where there is none or its trial fails. */
export function findNeed(name: NeedName): string | undefined {
  const need: Need = NEEDS[name];
  if (need.libraries !== undefined) return need.libraries.find(loads);
  const path = need.commands.map(findCommand).find((found) => found !== undefined);
  if (path === undefined || need.trial === undefined) return path;
  for (const args of need.trial) {
    const { success } = new Deno.Command(path, { args: [...args], stdout: "null", stderr: "null" })
      .outputSync();
    if (!success) return undefined;
  }
  return path;
}

function loads(library: string): boolean {
  try {
    Deno.dlopen(library, {}).close();
    return true;
  } catch {
    return false;
  }
}

function findCommand(command: string): string | undefined {
  const separator = Deno.build.os === "windows" ? ";" : ":";
  const folders = command.startsWith("/")
    ? [""]
    : [...(Deno.env.get("PATH") ?? "").split(separator), ...MORE_FOLDERS];
  for (const folder of folders) {
    const path = folder === "" ? command : `${folder}/${command}`;
    try {
      const info = Deno.statSync(path);
      if (info.isFile && ((info.mode ?? 0o111) & 0o111) !== 0) return path;
    } catch {
      continue;
    }
  }
  return undefined;
}
