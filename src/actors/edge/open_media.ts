import { randomHex } from "../../core/entropy.ts";
import type { EndpointToken } from "../../core/ids.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { Flow } from "../../sip/flow.ts";
import * as sdp from "../../sdp/mod.ts";
import { BrowserMedia } from "./browser_media.ts";
import type { EdgePorts, WireSettings } from "./contract.ts";
import { DirectMedia } from "./direct_media.ts";
import type { Side } from "./exchange.ts";
import { PhoneMedia } from "./phone_media.ts";
import type { WireMedia, WireMediaEvent } from "./wire_media.ts";

/** What an anchor's media is made of. */
export interface MediaChoice {
  readonly ports: EdgePorts;
  readonly settings: WireSettings;
  readonly flow: Flow;
  readonly label: string;
  readonly keep: (version: number, text: string) => void;
  readonly original: (abstract: sdp.Sdp) => string | undefined;
  readonly refuseRemote: (places: readonly string[]) => string | undefined;
  readonly onEvent: (event: WireMediaEvent) => void;
}

/** Which kind of media an offer asks for, and where its endpoint is best placed. */
export const openMedia = {
  /** @param mayWait an endpoint need not be opened before somebody turns out to need it */
  forOffer(
    choice: MediaChoice,
    side: Side,
    text: string,
    mayWait: boolean,
  ): Result<WireMedia, sdp.SdpFault> {
    const { settings, original } = choice;
    const read = settings.media === "direct" ? sdp.scanSdp : sdp.parseSdp;
    const offer = read(side === "wire" ? sdp.stripEndpointTokens(text) : text);
    if (!offer.ok) return offer;
    const near = sdp.endpointToken(offer.value);
    if (side === "inner" && settings.media === "direct" && original(offer.value) !== undefined) {
      return ok(openMedia.direct(choice, newToken(choice), 0));
    }
    const isWebrtc = side === "wire" ? wantsIce(offer.value) : settings.profile === "webrtc";
    if (isWebrtc) {
      const { ports, label, onEvent } = choice;
      const transcodable = () => ports.transcodable?.() ?? new Set<string>();
      return ok(new BrowserMedia({ webrtc: ports.webrtc, near, label, onEvent, transcodable }));
    }
    const kinds = sdp.phoneKinds(offer.value);
    if (kinds.length === 0) {
      return err({ reason: "unsupported", text: "the offer has neither audio nor video over RTP" });
    }
    const { ports, label, keep, refuseRemote, onEvent } = choice;
    const { rtp, entropy } = ports;
    // Whoever is called may take media straight from there: then there is nothing to open.
    const isLate = mayWait && side === "wire" && settings.media === "direct";
    return ok(
      new PhoneMedia({
        ...(isLate ? { token: newToken(choice) } : {}),
        rtp,
        entropy,
        profile: settings,
        transcodable: ports.transcodable?.() ?? new Set(),
        kinds,
        near,
        towards: hostOf(choice.flow),
        label,
        keep,
        refuseRemote,
        onEvent,
      }),
    );
  },

  direct(choice: MediaChoice, token: EndpointToken, version: number): DirectMedia {
    return new DirectMedia({ token, original: choice.original, keep: choice.keep, version });
  },
};

/** An offer of a browser: DTLS keys, and ICE in every m-line that lives. */
function wantsIce(offer: sdp.Sdp): boolean {
  const live = offer.media.filter((section) => !section.rejected && section.kind !== "other");
  return live.length > 0 && live.every((section) =>
    section.protocol.startsWith("UDP/TLS/") &&
    (section.transport.iceUfrag ?? offer.transport.iceUfrag) !== undefined
  );
}

function hostOf(flow: Flow): string {
  if (flow.peer) return flow.peer.address;
  const host = flow.remote.replace(/:\d+$/, "");
  return host.replace(/^\[(.*)\]$/, "$1");
}

function newToken({ ports }: MediaChoice): EndpointToken {
  return randomHex(ports.entropy, 128) as EndpointToken;
}
