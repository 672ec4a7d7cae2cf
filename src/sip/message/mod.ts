export { createResponse, type ResponseOptions } from "./create_response.ts";
export { HeaderField, headerKey, HeaderList, splitList } from "./header_list.ts";
export { MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_HEADER_FIELDS } from "./limits.ts";
export {
  type CSeq,
  CSEQ_LIMIT,
  DEFAULT_EXPIRES,
  SIP_VERSION,
  type SipMessage,
  SipRequest,
  SipResponse,
} from "./message.ts";
export { NameAddr, type NameAddrParts } from "./name_addr.ts";
export { type Param, Params } from "./params.ts";
export { type ParseFault, parseMessage } from "./parse.ts";
export { REASON_PHRASES, reasonPhrase } from "./reason_phrases.ts";
export { serialize, startLine } from "./serialize.ts";
export { type FramerEvent, StreamFramer } from "./stream_framer.ts";
export {
  copyText,
  decodeText,
  encodeText,
  escapeUser,
  isToken,
  quote,
  unescapeUri,
  unquote,
} from "./text.ts";
export { parseUri, SipUri, type SipUriParts } from "./uri.ts";
export type { UriFault } from "./uri_grammar.ts";
export { type Fault, validate } from "./validate.ts";
export { BRANCH_COOKIE, Via, type ViaParts } from "./via.ts";
