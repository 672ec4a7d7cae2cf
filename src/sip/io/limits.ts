/**
 * What strangers may use up (issue: protection); all of it per process unless it says otherwise.
 */
export interface TransportLimits {
  /** TCP and TLS connections open at a time. */
  readonly connections: number;
  /** The same, from one address. */
  readonly connectionsPerAddress: number;
  /** UDP peers remembered at a time. */
  readonly udpFlows: number;
  /** Largest message on a connection, head and body, bytes. */
  readonly messageBytes: number;
  /** A connection or UDP peer that nobody uses and that says nothing is let go after this, ms. */
  readonly idleMs: number;
  /** The same for one that is behind a binding or a contact, ms; longer than any registration. */
  readonly usedIdleMs: number;
  /**
   * The same for a connection whose far end has promised to be heard (RFC 5626 4.4.1), ms; longer
   * than Flow-Timer.
   */
  readonly promisedIdleMs: number;
  /** A message must be whole this long after its first byte, ms. */
  readonly messageMs: number;
  /**
   * A connection that we opened and need is kept alive by a ping this often (RFC 5626 4.4.1), ms.
   */
  readonly keepAliveMs: number;
  /** Connecting and the TLS handshake, ms. */
  readonly connectMs: number;
  /** Bytes that wait for a slow reader before it is cut. */
  readonly backlogBytes: number;
}

export const DEFAULT_TRANSPORT_LIMITS: TransportLimits = {
  connections: 10_000,
  connectionsPerAddress: 200,
  udpFlows: 200_000,
  messageBytes: 256 * 1024,
  idleMs: 120_000,
  usedIdleMs: 3 * 3_600_000,
  promisedIdleMs: 130_000,
  messageMs: 10_000,
  keepAliveMs: 100_000,
  connectMs: 5_000,
  backlogBytes: 1024 * 1024,
};
