import type { Instant } from "../../core/clock.ts";
import type { IceState } from "../media_port.ts";
import type { HmacSha1 } from "../srtp/hmac_sha1.ts";
import type { SrtpReceiver, SrtpSender } from "../srtp/context.ts";
import { EndpointRecord } from "./endpoint_record.ts";
import type { OutStreams } from "./out_streams.ts";
import { type PayloadTable, tableOf } from "./payload_tables.ts";
import { RateLimit } from "./rate_limit.ts";
import { ReceiveStatistics } from "./receive_statistics.ts";
import type { RtpLeg } from "./rtp_leg.ts";
import { RoundTrip } from "./round_trip.ts";
import type { TransportFeedback } from "./transport_feedback.ts";
import type { StateMemory } from "./state_memory.ts";

/** What a browser may send: several times what its cameras do. */
const MAX_PACKETS = 6000;
const MAX_BYTES = 8_000_000;
/** RTCP a second of one far end: a browser with video says some 50 feedback packets. */
const MAX_RTCP: readonly [packets: number, bytes: number] = [500, 250_000];
/** Checks a second: all that are answered, and those from places that it was never seen at. */
const MAX_CHECKS: readonly [packets: number, bytes: number] = [300, 100_000];
const MAX_STRANGE_CHECKS: readonly [packets: number, bytes: number] = [200, 80_000];

/** Where datagrams come from and go to; addresses as in `AddressTable`. */
export interface Place {
  readonly socket: number;
  readonly address: number;
  readonly port: number;
}

/** State of one leg in a worker. The rules are in `engine.ts`, `forwarder.ts` and `ice_lite.ts`. */
export class Endpoint {
  /** Local user fragment and the HMAC under the local password; a plain endpoint has neither. */
  iceUfrag = "";
  iceKey: HmacSha1 | null = null;
  /** Local user fragment before a restart that is not done yet; empty: there is none. */
  formerUfrag = "";
  /** Stands for the user fragment of the last restart that is done; 0: none. */
  followedRestart = 0;
  iceState: IceState = "new";
  lastCheck: Instant = 0;
  /** Places that an authenticated check came from, oldest first. */
  places: Place[] = [];

  /** Where its packets are sent: the nominated place; socket -1 while there is none. */
  socket = -1;
  address = 0;
  port = 0;

  /** Both null on a plain endpoint. */
  receiver: SrtpReceiver | null = null;
  sender: SrtpSender | null = null;
  /** True from the moment that keys are there, and so the fingerprint was checked. */
  open = false;
  flowing = true;

  peer: Endpoint | null = null;
  /** Endpoints whose peer this is, the one joined last at the end. */
  readonly sources = new Set<Endpoint>();
  /** The one of them that is passed on to this endpoint: one at a time. */
  source: Endpoint | null = null;
  /** Whether packets may go on to the peer now; kept up by the forwarder. */
  pathOpen = false;
  /**
   * What packets become on their way to this endpoint; null: they stay as they are, which keeps
   * NACK, PLI and transport-wide congestion control working end to end without us. A SIP leg on
   * either side, or a change of the far side, puts one in.
   */
  out: OutStreams | null = null;
  /** Id of the transport-wide sequence number's header extension; 0: none. */
  transportWideId = 0;
  /** Newest transport-wide number that the far end has reported on, or -1. */
  transportWideReported = -1;
  /** What we say of such numbers ourselves, where the far end does not. */
  feedback: TransportFeedback | null = null;
  /** Of a plain endpoint: a codec worker lies behind it, where reports end. */
  isHop = false;
  /** The sections of a SIP leg; null on all others. */
  leg: RtpLeg | null = null;
  /** When this endpoint's far end last got a report on what passes, of the peer's or ours. */
  reportedAt: Instant = 0;
  /** Against floods; a SIP leg has its own for each section. */
  readonly limit = new RateLimit(MAX_PACKETS, MAX_BYTES);
  /** Authentic RTCP, which makes us send. */
  readonly rtcpLimit = new RateLimit(...MAX_RTCP);
  /** Authentic checks, and checks from new places before anything is known of them. */
  readonly checkLimit = new RateLimit(...MAX_CHECKS);
  readonly strangeLimit = new RateLimit(...MAX_STRANGE_CHECKS);

  /** By payload type; what is not negotiated is passed on but not understood. */
  payloads: PayloadTable = tableOf([]);
  readonly receive = new ReceiveStatistics();
  readonly roundTrip = new RoundTrip();
  receivePackets = 0;
  receiveBytes = 0;
  sendPackets = 0;
  sendBytes = 0;
  dropped = 0;
  /** Packets that came before the keys; their stream has lost its first key frame. */
  early = 0;

  audioSeen = false;
  videoSeen = false;
  /** Authenticated packets of any kind, to notice silence. */
  heard = 0;
  heardAtTick = 0;
  heardLast: Instant = 0;
  silencesTold = 0;
  /** A key frame request that the rate limit put off; Infinity: none. */
  keyFrameDue: Instant = Infinity;
  /** DTLS datagrams passed on since the last tick. */
  dtlsSinceTick = 0;
  /** Counters at the last report, to report only what has moved. */
  reported = -1;

  readonly record: EndpointRecord;

  /** @param id more than 0 @param memory where its record lies, or lay when another worker ended */
  constructor(
    readonly id: number,
    memory: StateMemory,
    readonly kind: "webrtc" | "plain" | "rtp",
    /** SSRC of our own feedback. */
    readonly ssrc: number,
    /** What it sends of one kind is one stream, whatever its SSRC: a phone's way. */
    readonly isSingle = kind === "rtp",
  ) {
    this.record = new EndpointRecord(memory, id);
  }

  /** Whether its far end is told by us how its media fares, where the peer does not tell it. */
  get hasOwnReports(): boolean {
    return this.leg !== null || (this.peer !== null && (this.peer.isSingle || this.peer.isHop));
  }
}
