import type { EndpointToken } from "../../src/core/ids.ts";
import type { RunningMediaPool } from "../../src/rtp/io/start_pool.ts";
import type {
  LocalRtp,
  RemoteRtp,
  RtpEndpointEvent,
  RtpEndpointHandle,
} from "../../src/rtp/rtp_media_port.ts";
import { type PeerOptions, RtpPeer } from "./rtp_peer.ts";

/** A SIP leg of the pool, and a phone at its far end. */
export class PhoneLeg {
  readonly events: RtpEndpointEvent[] = [];
  readonly handle: RtpEndpointHandle;
  readonly peer: RtpPeer;
  local!: LocalRtp;

  constructor(
    pool: RunningMediaPool,
    options: PeerOptions = {},
    near?: EndpointToken,
    media: readonly ("audio" | "video")[] = ["audio"],
    onEvent: (event: RtpEndpointEvent) => void = () => {},
  ) {
    this.peer = new RtpPeer(options);
    const towards = options.hostname ?? "127.0.0.1";
    this.handle = pool.openRtp(
      { label: "phone", towards, media, ...(near === undefined ? {} : { near }) },
      (event) => {
        this.events.push(event);
        onEvent(event);
      },
    );
  }

  of<T extends RtpEndpointEvent["type"]>(type: T): Extract<RtpEndpointEvent, { type: T }>[] {
    return this.events.filter((event) => event.type === type) as never;
  }

  async opened(): Promise<void> {
    await this.peer.until("opened", () => this.of("opened").length > 0);
    this.local = this.of("opened")[0]!.local[0]!;
  }

  /** Opened, told of the phone, and the phone plays its tone. */
  async up(changes: Partial<RemoteRtp> = {}): Promise<this> {
    await this.opened();
    this.handle.setRemote([this.peer.remote(changes)]);
    this.peer.play(this.local);
    return this;
  }

  close(): void {
    this.peer.close();
    this.handle.close();
  }
}
