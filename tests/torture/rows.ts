/** What is expected of each row of RFC 4475, whoever wrote the message. */

/** What an element does with a message. */
export type Outcome =
  /** Answers it by itself. */
  | { readonly status: number }
  /** Sends it on, to the phone that is registered for everybody. */
  | { readonly forwarded: string }
  | "silent";

export interface Row {
  readonly name: string;
  readonly section: string;
  /** What registrar and proxy do with the datagram. */
  readonly proxy: Outcome;
  /** Over a stream, where that differs; several where the bytes are several messages. */
  readonly stream?: readonly Outcome[] | "waits";
  /** What a user agent does that the Request-URI names. */
  readonly agent?: Outcome;
  /** REGISTER needs an account. */
  readonly accounts?: true;
}

const forwarded = (method: string): Outcome => ({ forwarded: method });
const status = (code: number): Outcome => ({ status: code });
const BAD = status(400);

export const ROWS: readonly Row[] = [
  // Well-formed (3.1.1). A To tag that nobody knows is 481 already at the proxy.
  { name: "wsinv", section: "3.1.1.1", proxy: status(481), agent: status(481) },
  {
    name: "intmeth",
    section: "3.1.1.2",
    proxy: forwarded("!interesting-Method0123456789_*+`.%indeed'~"),
    agent: status(405),
  },
  { name: "esc01", section: "3.1.1.3", proxy: forwarded("INVITE") },
  { name: "escnull", section: "3.1.1.4", proxy: status(200) },
  { name: "esc02", section: "3.1.1.5", proxy: status(405), agent: status(405) },
  { name: "lwsdisp", section: "3.1.1.6", proxy: forwarded("OPTIONS"), agent: status(200) },
  { name: "longreq", section: "3.1.1.7", proxy: forwarded("INVITE") },
  {
    name: "dblreq",
    section: "3.1.1.8",
    proxy: status(200),
    stream: [status(200), forwarded("INVITE")],
  },
  { name: "semiuri", section: "3.1.1.9", proxy: forwarded("OPTIONS") },
  { name: "transports", section: "3.1.1.10", proxy: forwarded("OPTIONS"), agent: status(200) },
  { name: "mpart01", section: "3.1.1.11", proxy: forwarded("MESSAGE"), agent: status(405) },
  { name: "unreason", section: "3.1.1.12", proxy: "silent", agent: "silent" },
  { name: "noreason", section: "3.1.1.13", proxy: "silent", agent: "silent" },
  // Malformed (3.1.2).
  { name: "badinv01", section: "3.1.2.1", proxy: BAD, agent: BAD },
  { name: "clerr", section: "3.1.2.2", proxy: BAD, stream: "waits", agent: BAD },
  { name: "ncl", section: "3.1.2.3", proxy: BAD, agent: BAD },
  { name: "scalar02", section: "3.1.2.4", proxy: BAD },
  { name: "scalarlg", section: "3.1.2.5", proxy: "silent", agent: "silent" },
  { name: "quotbal", section: "3.1.2.6", proxy: BAD, agent: BAD },
  { name: "ltgtruri", section: "3.1.2.7", proxy: BAD },
  { name: "lwsruri", section: "3.1.2.8", proxy: BAD },
  { name: "lwsstart", section: "3.1.2.9", proxy: BAD },
  { name: "trws", section: "3.1.2.10", proxy: BAD },
  { name: "escruri", section: "3.1.2.11", proxy: BAD },
  { name: "baddate", section: "3.1.2.12", proxy: forwarded("INVITE") },
  { name: "regbadct", section: "3.1.2.13", proxy: BAD },
  { name: "badaspec", section: "3.1.2.14", proxy: BAD, agent: BAD },
  { name: "baddn", section: "3.1.2.15", proxy: BAD, stream: "waits", agent: BAD },
  { name: "badvers", section: "3.1.2.16", proxy: status(505), agent: status(505) },
  { name: "mismatch01", section: "3.1.2.17", proxy: BAD, agent: BAD },
  { name: "mismatch02", section: "3.1.2.18", proxy: BAD, agent: BAD },
  { name: "bigcode", section: "3.1.2.19", proxy: "silent", agent: "silent" },
  // Transactions (3.2) and applications (3.3).
  { name: "badbranch", section: "3.2.1", proxy: BAD, agent: BAD },
  { name: "insuf", section: "3.3.1", proxy: BAD, agent: BAD },
  { name: "unkscm", section: "3.3.2", proxy: status(416) },
  { name: "novelsc", section: "3.3.3", proxy: status(416) },
  { name: "unksm2", section: "3.3.4", proxy: status(404) },
  { name: "bext01", section: "3.3.5", proxy: status(420), agent: status(420) },
  { name: "invut", section: "3.3.6", proxy: forwarded("INVITE"), agent: status(415) },
  { name: "regaut01", section: "3.3.7", proxy: status(401), accounts: true },
  { name: "multi01", section: "3.3.8", proxy: BAD, agent: BAD },
  { name: "mcl01", section: "3.3.9", proxy: BAD, agent: BAD },
  { name: "bcast", section: "3.3.10", proxy: "silent", agent: "silent" },
  { name: "zeromf", section: "3.3.11", proxy: status(483), agent: status(200) },
  { name: "cparam01", section: "3.3.12", proxy: status(200) },
  { name: "cparam02", section: "3.3.13", proxy: status(200) },
  { name: "regescrt", section: "3.3.14", proxy: status(200) },
  { name: "sdp01", section: "3.3.15", proxy: forwarded("INVITE"), agent: status(406) },
  // RFC 2543 (3.4).
  { name: "inv2543", section: "3.4.1", proxy: forwarded("INVITE") },
  // In the archive, but in no section; there is nobody to answer to.
  { name: "test", section: "-", proxy: "silent" },
];
