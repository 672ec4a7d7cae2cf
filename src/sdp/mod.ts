/** SDP: parse, check, negotiate, write. Pure; everything the other rooms use stands here. */
export type { Direction, Sdp, SdpFault } from "./model.ts";
export type { LocalTransportLike } from "./write.ts";
export type { AbstractOfferOptions } from "./abstract.ts";
export type { OfferedMedia } from "./server_offer.ts";
export { isMediaCodec, samePayload } from "./model.ts";
export { parseSdp, scanSdp } from "./parse.ts";
export type { RemoteTransport } from "../core/remote_transport.ts";
export { directionOf } from "./direction.ts";
export { checkSipSdp } from "./extra_lines.ts";
export { browserAnswer, browserOffer, checkBrowserDescription } from "./browser.ts";
export {
  abstractAnswer,
  abstractOffer,
  abstractOfferOfAnswer,
  answerReoffer,
  continuingAnswer,
  continuingOffer,
  handedOn,
  reoffer,
  settledOffer,
} from "./abstract.ts";
export { serverOffer } from "./server_offer.ts";
export {
  codecsOf,
  endpointToken,
  firstCodecs,
  mediaOf,
  namesEndpoint,
  stripEndpointTokens,
} from "./view.ts";
export { answerOfPhone, answerToPhone, offerOfPhone, offerToPhone } from "./phone.ts";
export { abstractOfAny, abstractOfPhone } from "./phone_abstract.ts";
export {
  hasFeedback,
  isFlowing,
  NO_TIMES,
  type PacketTimes,
  phoneKinds,
  type PhoneMeans,
  type PhoneProfile,
  type PhoneSection,
  wantsFir,
} from "./phone_section.ts";
export { type CodecPair, codecsFor } from "./phone_codecs.ts";
export { settledByBrowser, widenedForBrowser, type WidenedPairs } from "./browser_transcoding.ts";
export { audioOnly } from "./audio_only.ts";
export { transcodableName, transcodedPair } from "./phone_transcoding.ts";
export { isNowhere, SDES_BYTES, type SdesKey, type SdesSuite } from "./phone_transport.ts";
export { type LocalRtp, type PhoneDescription, withVersion, writePhone } from "./phone_write.ts";
