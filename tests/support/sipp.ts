/** SIPp with the scenarios of `tests/support/sipp/`. */

export interface SippOptions {
  /** Name of the scenario's file, without `.xml`. */
  readonly scenario: string;
  /** `host:port` */
  readonly remote: string;
  /** One socket of UDP or TCP, or a connection a call. */
  readonly transport: "u1" | "t1" | "tn";
  readonly calls: number;
  /** User part, and digest user name. */
  readonly user: string;
  readonly password: string;
  /** Local port; any free one unless told otherwise. */
  readonly port?: number;
  /** In its Contact, where that is another one. */
  readonly contactPort?: number;
  /** Calls begun a second. */
  readonly rate?: number;
}

export interface SippResult {
  /** 0: all calls went as the scenario says. */
  readonly code: number;
  readonly output: string;
}

const LIMIT_SECONDS = 30;

export async function runSipp(path: string, options: SippOptions): Promise<SippResult> {
  const { scenario, remote, transport, calls, user, password, rate = 20 } = options;
  const directory = await Deno.makeTempDir({ prefix: "portzero-sipp-" });
  try {
    const text = await Deno.readTextFile(new URL(`sipp/${scenario}.xml`, import.meta.url));
    const contact = `Contact: <sip:[service]@[local_ip]:${options.contactPort ?? "[local_port]"}`;
    const file = `${directory}/scenario.xml`;
    await Deno.writeTextFile(
      file,
      text.replaceAll("Contact: <sip:[service]@[local_ip]:[local_port]", contact),
    );
    const { code, stdout, stderr } = await new Deno.Command(path, {
      // deno-fmt-ignore
      args: [
        remote, "-sf", file, "-t", transport, "-m", `${calls}`, "-r", `${rate}`, "-i", "127.0.0.1",
        "-s", user, "-au", user, "-ap", password, "-timeout", `${LIMIT_SECONDS}s`, "-timeout_error",
        ...(options.port === undefined ? [] : ["-p", `${options.port}`]), "-nostdin", "-trace_err", "-error_file", `${directory}/errors.log`,
      ],
      cwd: directory,
      env: { TERM: "dumb" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const errors = await Deno.readTextFile(`${directory}/errors.log`).catch(() => "");
    const decoder = new TextDecoder();
    return { code, output: `${decoder.decode(stdout)}\n${decoder.decode(stderr)}\n${errors}` };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
