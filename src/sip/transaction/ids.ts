import type { Branded } from "../../core/ids.ts";

/** Names a client transaction; chosen by its user, unique in one stack. */
export type ClientTransactionId = Branded<string, "ClientTransactionId">;
/** Names a server transaction; chosen by the stack. */
export type ServerTransactionId = Branded<string, "ServerTransactionId">;

/** `text` as the id of a client transaction. */
export function clientTransactionId(text: string): ClientTransactionId {
  return text as ClientTransactionId;
}
