import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  accountDigests,
  answerChallenge,
  canAnswer,
  chooseChallenge,
  createChallenge,
  createChallenges,
  parseAuthorization,
  parseChallenge,
} from "../../../src/sip/auth/mod.ts";
import { fault, value } from "./message_support.ts";

/** The example of RFC 2617 3.5. */
const RFC2617 = 'Digest realm="testrealm@host.com", qop="auth,auth-int", ' +
  'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"';

const answer = {
  method: "GET",
  uri: "/dir/index.html",
  username: "Mufasa",
  password: "Circle Of Life",
  cnonce: "0a4f113b",
  nonceCount: 1,
};

Deno.test("digest: the answer of RFC 2617 3.5", () => {
  const challenge = value(parseChallenge(RFC2617));
  assert.deepEqual(challenge.qop, ["auth", "auth-int"]);
  assert.equal(challenge.stale, false);
  const text = value(answerChallenge({ ...answer, challenge }));
  const credentials = value(parseAuthorization(text));
  assert.equal(credentials.response, "6629fae49393a05397450978507c4ef1");
  assert.equal(credentials.opaque, "5ccc069c403ebaf9f0171e9517f40e41");
  assert.equal(credentials.nc, "00000001");
  assert.match(text, /^Digest username="Mufasa", .*qop=auth, nc=00000001/);
  assert.doesNotMatch(text, /algorithm/);
});

Deno.test("digest: the answers of RFC 7616 3.9.1, MD5 and SHA-256", () => {
  for (
    const [algorithm, response] of [
      ["MD5", "8ca523f5e9506fed4657c9700eebdbec"],
      ["SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"],
    ]
  ) {
    const challenge = value(parseChallenge(
      `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, ` +
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", ' +
        'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
    ));
    const cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
    const text = value(answerChallenge({
      ...answer,
      password: "Circle of Life",
      challenge,
      cnonce,
    }));
    assert.equal(value(parseAuthorization(text)).response, response);
  }
});

Deno.test("digest: without qop the answer is RFC 2069's", () => {
  const challenge = value(parseChallenge('Digest realm="r", nonce="n"'));
  const text = value(answerChallenge({ ...answer, challenge }));
  assert.doesNotMatch(text, /qop|cnonce|nc=/);
  const md5 = (t: string) => createHash("md5").update(t).digest("hex");
  const expected = md5(`${md5("Mufasa:r:Circle Of Life")}:n:${md5("GET:/dir/index.html")}`);
  assert.equal(value(parseAuthorization(text)).response, expected);
  assert.equal(value(parseAuthorization(text)).nc, undefined);
});

Deno.test("digest: headers as servers write them", () => {
  const table: [string, string, string][] = [
    ['digest REALM="a b" ,nonce = "x,y=z"', "a b", "x,y=z"],
    ['Digest nonce="n",realm="q\\"uote",qop=auth,stale=TRUE,algorithm="MD5"', 'q"uote', "n"],
    ['Digest ,, realm="r",domain="sip:a sip:b", nonce=bare,', "r", "bare"],
  ];
  for (const [text, realm, nonce] of table) {
    const challenge = value(parseChallenge(text));
    assert.deepEqual([challenge.realm, challenge.nonce], [realm, nonce], text);
    assert.ok(canAnswer(challenge), text);
  }
  assert.ok(value(parseChallenge(table[1]![0])).stale);
});

Deno.test("digest: what is no Digest header", () => {
  const table: [string, string][] = [
    ["NoOneKnowsThisScheme opaque-data=here", "scheme"],
    ["Basic abc", "scheme"],
    ["", "scheme"],
    ["Digest", "malformed"],
    ['Digest realm="a"', "malformed"],
    ['Digest realm="a", nonce="b', "malformed"],
    ['Digest realm="a" nonce="b"', "malformed"],
    ['Digest realm="a", nonce="b", nonce="c"', "malformed"],
    ['Digest realm="a", nonce', "malformed"],
  ];
  for (const [text, kind] of table) {
    assert.equal(fault(parseChallenge(text)).kind, kind, text);
    assert.equal(fault(parseAuthorization(text)).kind, kind, text);
  }
  const sound = 'Digest username="u", realm="r", nonce="n", uri="sip:a", response="0"';
  assert.ok(parseAuthorization(sound).ok);
  assert.equal(fault(parseAuthorization(`${sound}, qop=auth`)).kind, "malformed");
  assert.equal(fault(parseAuthorization(`${sound}, qop=auth, cnonce="c", nc=1`)).kind, "malformed");
  assert.equal(fault(parseAuthorization(`${sound}, qop=auth-int`)).kind, "unsupported");
  assert.equal(fault(parseAuthorization(`${sound}, algorithm=SHA-1`)).kind, "unsupported");
});

Deno.test("digest: of several challenges the first that can be answered is", () => {
  const [md5, sha256] = createChallenges({ realm: "r", nonce: "n", stale: true });
  assert.match(md5!, /algorithm=MD5.*stale=true/);
  assert.match(sha256!, /algorithm=SHA-256/);
  assert.equal(chooseChallenge([md5!, sha256!])?.algorithm, "MD5");
  const unknown = 'Digest realm="r", nonce="n", algorithm=SHA-3';
  const integrity = 'Digest realm="r", nonce="n", qop="auth-int"';
  assert.equal(chooseChallenge([unknown, integrity, "Basic x", sha256!])?.algorithm, "SHA-256");
  assert.equal(chooseChallenge([unknown, integrity]), undefined);
  const challenge = value(parseChallenge(unknown));
  assert.equal(fault(answerChallenge({ ...answer, challenge })).kind, "unsupported");
});

Deno.test("digest: names and realms in quotes survive the way there and back", () => {
  const challenge = value(parseChallenge(
    createChallenge({ realm: 'a "b" \\c', nonce: "n", algorithm: "MD5", opaque: "o" }),
  ));
  assert.deepEqual([challenge.realm, challenge.opaque], ['a "b" \\c', "o"]);
  const text = value(answerChallenge({ ...answer, challenge, username: "jörg@home" }));
  const credentials = value(parseAuthorization(text));
  assert.deepEqual([credentials.username, credentials.realm], ["jörg@home", 'a "b" \\c']);
});

Deno.test("digest: what is kept of a password is HA1", () => {
  // md5("Mufasa:testrealm@host.com:Circle Of Life"), RFC 2617 3.5.
  const digests = accountDigests("Mufasa", "testrealm@host.com", "Circle Of Life");
  assert.equal(digests.md5, "939e7578ed9e3c518a452acee763bce9");
  assert.equal(digests.sha256.length, 64);
});
