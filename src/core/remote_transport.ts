/** What a browser's description says of its side: read by `sdp`, used by `rtp`. */
export interface RemoteTransport {
  readonly iceUfrag: string;
  readonly icePwd: string;
  readonly fingerprints: readonly { readonly algorithm: string; readonly value: string }[];
  /** For statistics by kind: payload type -> codec name, per media section. */
  readonly payloads: readonly {
    readonly payloadType: number;
    readonly kind: "audio" | "video";
    readonly codec: string;
    readonly clockRate: number;
  }[];
  /** Id of the header extension with transport-wide sequence numbers, where it was agreed on. */
  readonly transportWideId?: number;
}
