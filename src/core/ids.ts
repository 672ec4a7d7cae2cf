/**
 * Branded identifiers: a string that cannot be handed in where another kind of id is meant.
 */
declare const brand: unique symbol;

/** `T` marked as a `B`; made by a cast at the one place where the id is born. */
export type Branded<T, B extends string> = T & { readonly [brand]: B };

/** A client's session (kept alive across reconnects). */
export type SessionId = Branded<string, "SessionId">;
/** One client's call; a UUID, because the iOS sample turns it into one. */
export type CallId = Branded<string, "CallId">;
/** The media of one leg in a worker. */
export type EndpointId = Branded<number, "EndpointId">;
/** 128 random bits in hex; names an endpoint inside SDP that never leaves the process. */
export type EndpointToken = Branded<string, "EndpointToken">;
/** Index of a media worker in the pool, from 0. */
export type WorkerId = Branded<number, "WorkerId">;
/** Names one flow (connection or in-memory hop end) that SIP messages arrive on and go out by. */
export type FlowId = Branded<string, "FlowId">;
