/**
 * Room for datagrams that come while the process is busy: the system gives a socket room for some
 * ninety small ones, which at 500 calls a second is a pause of 20 ms, and the platform has no word
 * for it. On Linux the socket is found by its port among our descriptors, and asked directly.
 */

/** Some thousands of messages, bytes. */
export const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const LIBC = "libc.so.6";

/**
 * Asks for so much room; the system's own limit (`net.core.rmem_max`) may allow less. Gives back
 * what it has become, bytes as the system counts them; undefined where nothing could be done.
 */
export function enlargeReceiveBuffer(
  socket: Deno.DatagramConn,
  bytes: number = RECEIVE_BUFFER_BYTES,
): number | undefined {
  if (Deno.build.os !== "linux" || socket.addr.transport !== "udp") return undefined;
  try {
    return setReceiveBuffer(descriptorsOf(socket.addr), bytes);
  } catch {
    // No right to look or to call: the socket stays as it is.
    return undefined;
  }
}

function setReceiveBuffer(descriptors: readonly number[], bytes: number): number | undefined {
  const option = ["i32", "i32", "i32", "buffer"] as const;
  const libc = Deno.dlopen(LIBC, {
    setsockopt: { parameters: [...option, "u32"], result: "i32" },
    getsockopt: { parameters: [...option, "buffer"], result: "i32" },
  });
  try {
    const sizes = descriptors.map((fd) => {
      const value = new Int32Array([bytes]);
      libc.symbols.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, value.byteLength);
      const length = new Uint32Array([value.byteLength]);
      libc.symbols.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, length);
      return value[0]!;
    });
    return sizes.length === 0 ? undefined : Math.min(...sizes);
  } finally {
    libc.close();
  }
}

/** Of the sockets of ours that are bound to this port: one for each address. */
function descriptorsOf({ hostname, port }: Deno.NetAddr): number[] {
  const table = hostname.includes(":") ? "/proc/self/net/udp6" : "/proc/self/net/udp";
  const name = port.toString(16).toUpperCase().padStart(4, "0");
  const inodes = new Set<string>();
  for (const line of Deno.readTextFileSync(table).split("\n").slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (fields[1]?.endsWith(`:${name}`)) inodes.add(`socket:[${fields[9]}]`);
  }
  return [...Deno.readDirSync("/proc/self/fd")]
    .filter(({ name }) => inodes.has(linkOf(`/proc/self/fd/${name}`) ?? ""))
    .map(({ name }) => Number(name));
}

function linkOf(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return undefined; // Closed meanwhile.
  }
}
