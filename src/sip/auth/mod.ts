export type { AuthFault } from "./auth_params.ts";
export {
  type Answer,
  answerChallenge,
  canAnswer,
  type Challenge,
  type ChallengeOptions,
  chooseChallenge,
  createChallenge,
  createChallenges,
  parseChallenge,
} from "./challenge.ts";
export { type AccountDigests, accountDigests, type DigestAlgorithm, ha1 } from "./digest.ts";
export {
  MAX_USED_NONCES,
  NONCE_COUNT_WINDOW,
  NONCE_LIFETIME_MS,
  type NonceOptions,
  NonceStore,
} from "./nonce_store.ts";
export {
  type Credentials,
  findCredentials,
  parseAuthorization,
  type Refusal,
  type Verification,
  verifyAuthorization,
} from "./verify.ts";
