import { fileURLToPath } from "node:url";
import { silentLog } from "../../../src/core/log.ts";
import { systemClock } from "../../../src/core/io/system_clock.ts";
import { createAccount } from "../../../src/sip/auth/accounts.ts";
import { SipStore } from "../../../src/sip/io/store.ts";
import { Child } from "../../support/child_process.ts";
import {
  type KamailioPlace,
  KamailioProcess,
  registrarRoute,
  TO_BINDINGS,
} from "../../support/kamailio_process.ts";

/** The servers that are compared, each in processes of its own on core 0. */

export const SERVER_CORE = 0;
export const LOAD_CORE = 1;
export const DOMAIN = "bench.test";
export const PASSWORD = "s3cret";

/** Users of digest, `100000` and up; all have one password. */
export function userName(index: number): string {
  return String(100_000 + index);
}

export interface Server extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  /** Of its first process. */
  readonly pid: number;
  readonly output: string;
  /** CPU time of all its processes so far, ms. */
  cpuMs(): number;
  /** Memory of its own, MB: resident of ours, used shared memory of Kamailio. */
  memoryMb(): Promise<number>;
}

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const TICK_MS = 10;

export function onCore(core: number, command: readonly string[]): [string, string[]] {
  return ["chrt", ["-r", "10", "taskset", "-c", `${core}`, ...command]];
}

/** User and system time, ms, of a process and of all that it started. */
function cpuMs(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  let sum = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  for (const child of childrenOf(pid)) sum += cpuMs(child);
  return sum;
}

function childrenOf(pid: number): number[] {
  const text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim();
  return text === "" ? [] : text.split(" ").map(Number);
}

function residentMb(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}

export type MediaWay = "direct" | "relay";

/** The product as it is started, with `users` accounts of its own in a fresh data folder. */
export async function startPortZero(
  users: number,
  { media = "direct", flags = [] }: {
    /** Of calls between phones. */
    readonly media?: MediaWay;
    readonly flags?: readonly string[];
  } = {},
): Promise<Server> {
  const directory = await Deno.makeTempDir({ prefix: "portzero-bench-" });
  seedAccounts(`${directory}/sip.sqlite`, users);
  const deno = [Deno.execPath(), "run", ...flags, "-A", "--no-check", "main.ts"];
  const env = {
    ...Object.fromEntries(
      ["HTTP_PORT", "HTTP_TLSPORT", "HTTP_RESTPORT", "HTTP_RESTTLSPORT", "SIP_PORT", "SIP_TLSPORT"]
        .map((name) => [`PORTZERO_${name}`, "0"]),
    ),
    PORTZERO_DATA_DIRECTORY: directory,
    PORTZERO_SIP_DOMAINS: DOMAIN,
    PORTZERO_SIP_MEDIA: media,
    PORTZERO_MEDIA_WORKERS: "1",
    PORTZERO_MEDIA_PORTFROM: "30000",
    PORTZERO_MEDIA_PORTTO: "49999",
    PORTZERO_LOG_LEVEL: "warn",
  };
  const child = new Child(...onCore(SERVER_CORE, deno), { cwd: ROOT, env });
  const [, port] = await child.expect(/SIP +udp\+tcp .*:(\d+), tls \d+/);
  return {
    name: "Port Zero",
    port: Number(port),
    pid: child.pid,
    get output() {
      return child.output;
    },
    cpuMs: () => cpuMs(child.pid),
    memoryMb: () => Promise.resolve(residentMb(child.pid)),
    async [Symbol.asyncDispose]() {
      child.signal("SIGTERM");
      await child.ended();
      await child[Symbol.asyncDispose]();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

function seedAccounts(file: string, users: number): void {
  const store = SipStore.open({ file, clock: systemClock, log: silentLog });
  if (!store.ok) throw new Error(store.error);
  for (let i = 0; i <= users; i++) {
    store.value.accounts.put(createAccount(userName(i), DOMAIN, PASSWORD));
  }
  store.value.close();
}

/**
 * Kamailio doing the same: digest, bindings in memory, stateful relay with Record-Route.
 * @param path of the program
 */
export async function startKamailio(
  path: string,
  /** `hasDialogs`: its dialog module follows all calls. */
  { hasDialogs = false }: { readonly hasDialogs?: boolean } = {},
): Promise<Server> {
  const kamailio = await KamailioProcess.start({
    path,
    memory: [512, 16],
    configuration: (place) => configuration(place, hasDialogs),
    wrap: (command) => onCore(SERVER_CORE, command),
  });
  const { child, place: { directory, port } } = kamailio;
  // It says nothing when it is ready, but it opens this file at the end of its start.
  await until(() => isThere(`${directory}/kamailio_ctl`));
  return {
    name: hasDialogs ? "with dialogs" : "Kamailio",
    port,
    pid: child.pid,
    get output() {
      return child.output;
    },
    cpuMs: () => cpuMs(child.pid),
    memoryMb: () => sharedMb(`${directory}/kamailio_ctl`),
    [Symbol.asyncDispose]: () => kamailio[Symbol.asyncDispose](),
  };
}

async function sharedMb(socket: string): Promise<number> {
  const { stdout } = await new Deno.Command("kamcmd", {
    args: ["-s", `unixs:${socket}`, "core.shmmem"],
    stdout: "piped",
    stderr: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  return Number(/real_used: (\d+)/.exec(text)?.[1] ?? NaN) / 2 ** 20;
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

async function until(test: () => boolean): Promise<void> {
  for (const end = performance.now() + 10_000; !test();) {
    if (performance.now() > end) throw new Error("Kamailio does not start");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function configuration(
  { port, directory, modules: folder }: KamailioPlace,
  hasDialogs: boolean,
): string {
  // deno-fmt-ignore
  const modules = [
    "tm", "sl", "rr", "pv", "maxfwd", "siputils", "textops", "usrloc", "registrar", "auth", "ctl",
    ...(hasDialogs ? ["dialog"] : []),
  ];
  return `#!KAMAILIO
debug=0
log_stderror=yes
children=2
disable_tcp=yes
auto_aliases=no
alias="${DOMAIN}"
listen=udp:127.0.0.1:${port}
mpath="${folder}/"
${modules.map((name) => `loadmodule "${name}.so"`).join("\n")}
modparam("rr", "enable_full_lr", 1)
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "hash_size", 14)
modparam("registrar", "max_expires", 3600)
modparam("ctl", "binrpc", "unix:${directory}/kamailio_ctl")

request_route {
  if (!mf_process_maxfwd_header("20")) { sl_send_reply("483", "Too Many Hops"); exit; }
  ${registrarRoute(DOMAIN, PASSWORD)}
  if (!pv_proxy_authenticate("${DOMAIN}", "${PASSWORD}", "0")) {
    proxy_challenge("${DOMAIN}", "0");
    exit;
  }
  consume_credentials();
  ${hasDialogs ? "dlg_manage();" : ""}
  ${TO_BINDINGS}
}
`;
}
