import type { Target } from "../resolve/target.ts";

/** A connection to a TCP or TLS target; whoever calls limits its time by `signal`. */
export async function dial(
  { host: hostname, port, transport, name }: Target,
  trusted: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<Deno.TcpConn | Deno.TlsConn> {
  const conn = await Deno.connect({ hostname, port, transport: "tcp", signal });
  if (transport !== "TLS") return conn;
  // `startTls` takes no signal, and a silent far end would hold it for ever.
  const end = () => closeQuietly(conn);
  signal.addEventListener("abort", end, { once: true });
  try {
    const secure = await Deno.startTls(conn, {
      // The certificate is to name whom we meant, not the address that a name server gave us.
      hostname: name,
      ...(trusted ? { caCerts: [...trusted] } : {}),
    });
    const endSecure = () => closeQuietly(secure);
    signal.addEventListener("abort", endSecure, { once: true });
    try {
      await secure.handshake();
    } catch (error) {
      closeQuietly(secure);
      throw error;
    } finally {
      signal.removeEventListener("abort", endSecure);
    }
    return secure;
  } finally {
    signal.removeEventListener("abort", end);
  }
}

export function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    /* Closed by the far end in the meantime, or taken over by TLS. */
  }
}
