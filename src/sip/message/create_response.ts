import { HeaderList } from "./header_list.ts";
import { type SipRequest, SipResponse } from "./message.ts";
import { NameAddr } from "./name_addr.ts";
import { reasonPhrase } from "./reason_phrases.ts";

export interface ResponseOptions {
  /** Added to To if it has no tag. */
  readonly toTag?: string;
  /** Copies Record-Route: for responses that make a dialog (RFC 3261 12.1.1). */
  readonly recordRoute?: boolean;
  /** Header fields to add, in this order. */
  readonly headers?: Iterable<readonly [string, string]>;
  readonly body?: Uint8Array;
  /** Needed with a body. */
  readonly contentType?: string;
}

const COPIED = new Set(["via", "from", "to", "call-id", "cseq"]);

/**
 * A response with what RFC 3261 8.2.6 copies from its request, in the request's spelling. Works
 * for requests that did not pass `validate` too: what is missing or doubled is copied as it is.
 */
export function createResponse(
  request: SipRequest,
  status: number,
  reason: string = reasonPhrase(status),
  options: ResponseOptions = {},
): SipResponse {
  const headers = new HeaderList();
  for (const field of request.headers.entries()) {
    const isCopied = COPIED.has(field.key) ||
      (field.key === "record-route" && options.recordRoute === true) ||
      (field.key === "timestamp" && status === 100);
    if (isCopied) headers.appendField(field);
  }
  if (options.toTag !== undefined && status !== 100) addTag(headers, options.toTag);
  for (const [name, value] of options.headers ?? []) headers.append(name, value);
  if (options.contentType !== undefined) headers.append("Content-Type", options.contentType);
  return new SipResponse(status, cleanReason(reason), headers, options.body);
}

function addTag(headers: HeaderList, tag: string): void {
  const field = headers.field("to");
  if (field === undefined || headers.count("to") > 1) return;
  const to = NameAddr.parse(field.value);
  // Appending keeps the request's spelling; what can't be read is left alone.
  if (to.ok && to.value.tag === undefined) {
    headers.set(field.name, `${to.value.withTag(tag)}`);
  }
}

const MAX_REASON = 200;

/**
 * Faults quote the peer's own text, which may hold what no `Reason-Phrase` may (RFC 3261 25.1)
 * and, in a line break, a whole forged header.
 */
function cleanReason(text: string): string {
  return text.slice(0, MAX_REASON).replaceAll('"', "'").replace(/[<>]/g, "")
    // deno-lint-ignore no-control-regex -- control characters are what is taken out
    .replace(/[\x00-\x1f\x7f]+/g, " ").replace(/[%#\\^`{|}[\]]/g, "?").toWellFormed();
}
