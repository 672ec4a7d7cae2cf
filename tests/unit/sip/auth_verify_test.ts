import assert from "node:assert/strict";
import { SeededEntropy } from "../../../src/core/entropy.ts";
import {
  accountDigests,
  answerChallenge,
  createChallenges,
  findCredentials,
  NONCE_LIFETIME_MS,
  NonceStore,
  parseAuthorization,
  parseChallenge,
  verifyAuthorization,
} from "../../../src/sip/auth/mod.ts";
import { digestResponse } from "../../../src/sip/auth/digest.ts";
import { fault, value } from "./message_support.ts";

const REALM = "lab.example";
const digests = accountDigests("1000", REALM, "1234");

interface Attempt {
  readonly nonce: string;
  readonly password?: string;
  readonly username?: string;
  readonly count?: number;
  /** 0: MD5, 1: SHA-256. */
  readonly which?: number;
  readonly edit?: (challenge: string) => string;
}

function credentials(attempt: Attempt) {
  const offered = createChallenges({ realm: REALM, nonce: attempt.nonce })[attempt.which ?? 0]!;
  const challenge = value(parseChallenge(attempt.edit?.(offered) ?? offered));
  return value(parseAuthorization(value(answerChallenge({
    challenge,
    method: "REGISTER",
    uri: "sip:lab.example",
    username: attempt.username ?? "1000",
    password: attempt.password ?? "1234",
    cnonce: "c0ffee",
    nonceCount: attempt.count ?? 1,
  }))));
}

function verify(nonces: NonceStore, attempt: Attempt, now = 0, known = true) {
  return verifyAuthorization({
    credentials: credentials(attempt),
    method: "REGISTER",
    realm: REALM,
    digests: known ? digests : undefined,
    nonces,
    now,
  });
}

Deno.test("verify: the right password with MD5, SHA-256, -sess and without qop", () => {
  const nonces = new NonceStore(new SeededEntropy(1));
  for (const which of [0, 1]) {
    assert.ok(verify(nonces, { nonce: nonces.issue(0), which }).ok);
    const session = (text: string) => text.replace(/(algorithm=[^,]+)/, "$1-sess");
    assert.ok(verify(nonces, { nonce: nonces.issue(0), which, edit: session }).ok);
    const old = (text: string) => text.replace(/, qop="auth"/, "");
    assert.ok(verify(nonces, { nonce: nonces.issue(0), which, edit: old }).ok);
  }
});

Deno.test("verify: a wrong password, method, realm or name is wrong and uses no nonce up", () => {
  const nonces = new NonceStore(new SeededEntropy(2));
  const nonce = nonces.issue(0);
  const wrong = { reason: "wrong", stale: false };
  assert.deepEqual(fault(verify(nonces, { nonce, password: "1235" })), wrong);
  assert.deepEqual(fault(verify(nonces, { nonce }, 0, false)), wrong);
  const sound = {
    credentials: credentials({ nonce }),
    method: "REGISTER",
    realm: REALM,
    digests,
    nonces,
    now: 0,
  };
  assert.deepEqual(fault(verifyAuthorization({ ...sound, method: "INVITE" })), wrong);
  assert.deepEqual(fault(verifyAuthorization({ ...sound, realm: "other" })), wrong);
  const cut = { ...sound.credentials, response: sound.credentials.response.slice(1) };
  assert.deepEqual(fault(verifyAuthorization({ ...sound, credentials: cut })), wrong);
  const moved = { ...sound.credentials, uri: "sip:elsewhere" };
  assert.deepEqual(fault(verifyAuthorization({ ...sound, credentials: moved })), wrong);
  const nobody = { ...sound.credentials, response: "" };
  assert.deepEqual(fault(verifyAuthorization({ ...sound, credentials: nobody })), wrong);
  assert.equal(nonces.size, 0);
  const loud = { ...sound.credentials, response: sound.credentials.response.toUpperCase() };
  assert.ok(verifyAuthorization({ ...sound, credentials: loud }).ok);
});

Deno.test("verify: the stand-in digests of an unknown user let nobody in", () => {
  const nonces = new NonceStore(new SeededEntropy(3));
  for (const which of [0, 1]) {
    const base = credentials({ nonce: nonces.issue(0), which });
    const response = digestResponse({
      algorithm: base.algorithm,
      session: false,
      ha1: "0".repeat(which === 0 ? 32 : 64),
      nonce: base.nonce,
      method: "REGISTER",
      uri: base.uri,
      auth: { cnonce: base.cnonce!, nc: base.nc! },
    });
    const input = { credentials: { ...base, response }, method: "REGISTER", realm: REALM, nonces };
    const result = verifyAuthorization({ ...input, digests: undefined, now: 0 });
    assert.deepEqual(fault(result), { reason: "wrong", stale: false });
    // The same response is right for whoever does have these digests: the test tests something.
    const zeros = { md5: "0".repeat(32), sha256: "0".repeat(64) };
    assert.ok(verifyAuthorization({ ...input, digests: zeros, now: 0 }).ok);
  }
});

Deno.test("verify: right credentials on a nonce that is old or not ours are stale", () => {
  const nonces = new NonceStore(new SeededEntropy(4));
  const nonce = nonces.issue(1000);
  const stale = { reason: "stale", stale: true };
  assert.ok(verify(nonces, { nonce }, 1000 + NONCE_LIFETIME_MS).ok);
  assert.deepEqual(fault(verify(nonces, { nonce, count: 2 }, 1001 + NONCE_LIFETIME_MS)), stale);
  const foreign = new NonceStore(new SeededEntropy(5)).issue(1000);
  const forged = nonce.replace(/^[^-]+/, "fffff");
  for (const other of [foreign, forged, "", "-", "made-up", nonce.slice(0, -1)]) {
    assert.deepEqual(fault(verify(nonces, { nonce: other }, 1000)), stale, other);
  }
  // Someone without the password does not learn whether a nonce is good.
  assert.equal(fault(verify(nonces, { nonce: foreign, password: "x" }, 1000)).reason, "wrong");
});

Deno.test("verify: each count of a nonce is good once, in any near order", () => {
  const nonces = new NonceStore(new SeededEntropy(6));
  const nonce = nonces.issue(0);
  const go = (count: number) => {
    const result = verify(nonces, { nonce, count });
    return result.ok ? "good" : result.error.reason;
  };
  const table: [number, string][] = [
    [1, "good"],
    [1, "replayed"],
    [3, "good"],
    [2, "good"],
    [2, "replayed"],
    [34, "good"],
    [3, "replayed"],
    [4, "good"],
    [2, "replayed"],
    [500, "good"],
    [468, "replayed"],
    [467, "replayed"],
    [440, "replayed"],
    [469, "good"],
    [469, "replayed"],
    [500, "replayed"],
    [0xffffffff, "good"],
    [0xffffffff, "replayed"],
  ];
  for (const [count, expected] of table) assert.equal(go(count), expected, `count ${count}`);
  assert.equal(nonces.size, 1);
});

Deno.test("verify: without a count a nonce is good for one request", () => {
  const nonces = new NonceStore(new SeededEntropy(7));
  const nonce = nonces.issue(0);
  const edit = (text: string) => text.replace(/, qop="auth"/, "");
  assert.ok(verify(nonces, { nonce, edit }).ok);
  assert.deepEqual(fault(verify(nonces, { nonce, edit })), { reason: "replayed", stale: true });
  assert.equal(fault(verify(nonces, { nonce, count: 5 })).reason, "replayed");
});

Deno.test("nonces: counts are bounded, and what is forgotten is stale, never good again", () => {
  const nonces = new NonceStore(new SeededEntropy(8), { maxUsed: 8 });
  const issued = Array.from({ length: 40 }, (_, i) => nonces.issue(i));
  for (const [i, nonce] of issued.entries()) {
    assert.equal(nonces.use(nonce, 1, 100), "good", `nonce ${i}`);
    assert.ok(nonces.size <= 8);
  }
  for (const nonce of issued) assert.notEqual(nonces.use(nonce, 1, 100), "good");
  // Expired ones make room without making others stale.
  const late = NONCE_LIFETIME_MS + 200;
  const fresh = Array.from({ length: 8 }, () => nonces.issue(late));
  for (const nonce of fresh) assert.equal(nonces.use(nonce, 1, late), "good");
  for (const nonce of fresh) assert.equal(nonces.use(nonce, 2, late), "good");
});

Deno.test("credentials: those for our realm are found among others", () => {
  const mine = 'Digest username="u", realm="lab.example", nonce="n", uri="sip:a", response="0"';
  const other = mine.replace("lab.example", "elsewhere");
  assert.equal(findCredentials([], REALM), undefined);
  assert.equal(findCredentials(["NoOneKnowsThisScheme x=y", other], REALM), undefined);
  assert.ok(findCredentials(["Digest broken", other, mine], REALM)?.ok);
  assert.equal(findCredentials(["Digest broken", other], REALM)?.ok, false);
});
