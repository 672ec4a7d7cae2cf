/**
 * What we use of npm:sdp-transform 3.0.0, which carries no types. Its parser turns every value that
 * looks like an integer into a number, hence `Text`: turn it back with `String` before use.
 */
export type Text = string | number;

export interface ParsedSection {
  invalid?: { value?: Text }[];
  direction?: Text;
  iceUfrag?: Text;
  icePwd?: Text;
  setup?: Text;
  icelite?: Text;
  extmapAllowMixed?: Text;
  ext?: { value?: Text; direction?: Text; "encrypt-uri"?: Text; uri?: Text; config?: Text }[];
  bandwidth?: { type?: Text; limit?: Text }[];
  connection?: { version: number; ip: string };
}

export interface ParsedMedia extends ParsedSection {
  type?: Text;
  port?: Text;
  protocol?: Text;
  payloads?: Text;
  rtp: { payload?: Text; codec?: Text; rate?: Text; encoding?: Text }[];
  fmtp: { payload?: Text; config?: Text }[];
  rtcpFb?: { payload?: Text; type?: Text; subtype?: Text }[];
  rtcpFbTrrInt?: { payload?: Text; value?: Text }[];
  mid?: Text;
  msid?: { id: string; appdata: string }[];
  rtcpMux?: Text;
  rtcpRsize?: Text;
  bundleOnly?: Text;
  ptime?: Text;
  maxptime?: Text;
  ssrcs?: { id?: Text; attribute?: Text; value?: Text }[];
  ssrcGroups?: { semantics?: Text; ssrcs?: Text }[];
  rids?: { id?: Text; direction?: Text; params?: Text }[];
  simulcast?: { dir1?: Text; list1?: Text; dir2?: Text; list2?: Text };
  fingerprint?: { type: string; hash: string };
  candidates?: {
    foundation: string;
    component: number;
    transport: string;
    priority: number;
    ip: string;
    port: number;
    type: string;
  }[];
  endOfCandidates?: Text;
}

export interface ParsedSession extends ParsedSection {
  version?: number;
  origin?: {
    username?: Text;
    sessionId?: Text;
    sessionVersion?: Text;
    netType?: Text;
    ipVer?: Text;
    address?: Text;
  };
  name?: Text;
  timing?: { start: number; stop: number };
  groups?: { type?: Text; mids?: Text }[];
  msidSemantic?: { semantic: string; token: string };
  media: ParsedMedia[];
}

export function parse(sdp: string): ParsedSession;
export function write(session: ParsedSession): string;
