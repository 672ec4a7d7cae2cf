import { z } from "zod";
import { done, listOperation, pageQuery, paging, user } from "./api_operations.ts";
import { type Operation, operation } from "./operation.ts";
import * as schemas from "./schemas.ts";

/** `/api/accounts`: who may register with a password. */

const MAX_NAME = 64;
const MAX_PASSWORD = 128;

// deno-lint-ignore no-control-regex
const password = z.string().min(1).max(MAX_PASSWORD).regex(/^[^\x00-\x1f\x7f]*$/).meta({
  description: "Forgotten at once; its digests are kept.",
  expected: `1 to ${MAX_PASSWORD} characters without control characters`,
});

const MAX_RIGHTS = 32;

const grants = {
  rights: z.array(z.string().regex(/^[A-Za-z0-9_-]{1,32}$/)).max(MAX_RIGHTS).default([]).meta({
    description: "Words that the dial plan uses.",
    expected: `a list of at most ${MAX_RIGHTS} words of 1 to 32 letters, digits, _ or -`,
  }),
  number: z.string().regex(/^\+?[0-9]{1,15}$/).nullable().default(null).meta({
    description: "Its number on trunks; null: none.",
    expected: "null, or a telephone number of 1 to 15 digits with or without +",
  }),
};

const newAccount = z.object({
  // What needs no escape in a SIP user part, and is none of our wildcards (RFC 3261 25.1).
  name: z.string().regex(/^[A-Za-z0-9_.+~!'-]{1,64}$/).meta({
    expected: `1 to ${MAX_NAME} letters, digits or _.+~!'-`,
  }),
  password,
  ...grants,
});

export const ACCOUNT_OPERATIONS: readonly Operation[] = [
  listOperation(
    "Accounts",
    z.object({ ...paging, user }),
    schemas.account,
    (plane, query) => plane.accounts(pageQuery(query)),
  ),
  operation({
    id: "createAccount",
    method: "POST",
    isWrite: true,
    path: "/api/accounts",
    tag: "Accounts",
    summary: "Makes an account of the registrar.",
    body: newAccount,
    secrets: ["password"],
    success: { status: 201, description: "The account.", schema: schemas.account },
    problems: ["bad-request", "conflict"],
    handle: ({ body }, plane) => done(plane.createAccount(body)),
  }),
  operation({
    id: "setAccountPassword",
    method: "POST",
    isWrite: true,
    path: "/api/accounts/{name}/password",
    tag: "Accounts",
    summary: "Gives an account another password, asked for when its phones register again.",
    parameters: { name: "Name of the account." },
    body: z.object({ password }),
    secrets: ["password"],
    success: { status: 204, description: "It has the new password." },
    problems: ["bad-request", "not-found", "conflict"],
    handle: ({ parameters, body }, plane) =>
      done(plane.setAccountPassword(parameters.name!, body.password)),
  }),
  operation({
    id: "grantAccount",
    method: "POST",
    isWrite: true,
    path: "/api/accounts/{name}/rights",
    tag: "Accounts",
    summary: "Says anew what an account may do, and its number; from its next call on.",
    parameters: { name: "Name of the account." },
    body: z.object(grants),
    success: { status: 200, description: "The account.", schema: schemas.account },
    problems: ["bad-request", "not-found", "conflict"],
    handle: ({ parameters, body }, plane) => done(plane.grantAccount(parameters.name!, body)),
  }),
  operation({
    id: "removeAccount",
    method: "DELETE",
    isWrite: true,
    path: "/api/accounts/{name}",
    tag: "Accounts",
    summary: "Removes an account and its registrations.",
    parameters: { name: "Name of the account." },
    success: { status: 204, description: "It is gone." },
    problems: ["not-found", "conflict"],
    handle: ({ parameters }, plane) => done(plane.removeAccount(parameters.name!)),
  }),
];
