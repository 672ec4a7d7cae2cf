import { Child } from "./child_process.ts";

const MODULES = [
  "/usr/lib/x86_64-linux-gnu/kamailio/modules",
  "/usr/lib/aarch64-linux-gnu/kamailio/modules",
  "/usr/lib64/kamailio/modules",
  "/usr/local/lib/kamailio/modules",
  "/usr/lib/kamailio/modules",
];
const END_MS = 10_000;

export interface KamailioPlace {
  /** Of its own; gone with the process. */
  readonly directory: string;
  /** Of its modules: value of `mpath`. */
  readonly modules: string;
  /** Free on loopback, UDP and TCP. */
  readonly port: number;
}

export interface KamailioStart {
  /** Of the program. */
  readonly path: string;
  /** Shared by all its processes, and of each, MB. */
  readonly memory: readonly [number, number];
  configuration(place: KamailioPlace): string;
  /** What runs the command in its place; absent: nothing. */
  readonly wrap?: (command: readonly string[]) => [string, string[]];
}

/** Kamailio with a configuration of ours, in a folder of its own. It may not be ready yet. */
export class KamailioProcess implements AsyncDisposable {
  readonly child: Child;
  readonly place: KamailioPlace;

  private constructor(child: Child, place: KamailioPlace) {
    this.child = child;
    this.place = place;
  }

  static async start(options: KamailioStart): Promise<KamailioProcess> {
    const { path, memory: [shared, own], wrap } = options;
    const modules = modulesHere();
    const directory = await Deno.makeTempDir({ prefix: "portzero-kamailio-" });
    const place = { directory, modules, port: freePort() };
    const file = `${directory}/kamailio.cfg`;
    await Deno.writeTextFile(file, options.configuration(place));
    // deno-fmt-ignore
    const args = ["-DD", "-E", "-m", `${shared}`, "-M", `${own}`, "-Y", directory, "-f", file];
    const [program, rest] = wrap?.([path, ...args]) ?? [path, args];
    return new KamailioProcess(new Child(program, rest, { cwd: directory }), place);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.signal("SIGTERM");
      await this.child.ended(END_MS);
    } finally {
      await this.child[Symbol.asyncDispose]();
      await Deno.remove(this.place.directory, { recursive: true });
    }
  }
}

/**
 * What a registrar and proxy does with a request, to be put into a `request_route`: what is in a
 * dialog goes where it is routed to, and who registers gives the password.
 */
export function registrarRoute(domain: string, password: string): string {
  return `if (is_method("CANCEL")) { if (t_check_trans()) { t_relay(); } exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) { t_relay(); } exit; }
    sl_send_reply("404", "Not Here");
    exit;
  }
  t_check_trans();
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("${domain}", "${password}", "0")) {
      www_challenge("${domain}", "0");
      exit;
    }
    save("location");
    exit;
  }`;
}

/** The rest of such a route: to whoever has registered. */
export const TO_BINDINGS = `record_route();
  if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
  t_relay();`;

function modulesHere(): string {
  const found = MODULES.find((folder) => {
    try {
      return Deno.statSync(`${folder}/auth.so`).isFile;
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error(`Kamailio's modules are in none of ${MODULES.join()}`);
  return found;
}

/** Free for UDP and for TCP, a moment ago. */
function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  try {
    Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port }).close();
    return port;
  } catch (fault) {
    if (fault instanceof Deno.errors.AddrInUse) return freePort();
    throw fault;
  } finally {
    listener.close();
  }
}
