import assert from "node:assert/strict";
import { BARESIP, Baresip } from "../support/baresip.ts";
import { Lab } from "../support/lab.ts";

/**
 * Two desk phones registered at us: media through us, by SRTP, and straight from one to the other.
 */

const CALLER_HERTZ = 500;
const CALLEE_HERTZ = 900;

/** Accounts that are called as the configuration says. */
const ACCOUNTS = [
  { name: "clear", password: "secret1", media: "relay" },
  { name: "coded", password: "secret2", srtp: "offer" },
  { name: "near", password: "secret3", media: "direct" },
  { name: "nearby", password: "secret4", media: "direct" },
];
type Name = "clear" | "coded" | "near" | "nearby";

interface Pair {
  readonly caller: Name;
  readonly callee: Name;
  readonly isDirect: boolean;
}

const PAIRS: readonly Pair[] = [
  { caller: "clear", callee: "near", isDirect: false },
  { caller: "clear", callee: "coded", isDirect: false },
  { caller: "coded", callee: "clear", isDirect: false },
  { caller: "near", callee: "nearby", isDirect: true },
];

function phoneOf(lab: Lab, name: Name, hertz: number): Promise<Baresip> {
  const { password } = ACCOUNTS.find((account) => account.name === name)!;
  return Baresip.start({
    user: name,
    password,
    hertz,
    port: lab.sipPort,
    ...(name === "coded" ? { encryption: "srtp-mand" as const } : {}),
    // Streams hold long messages, and the two ends need not speak the same transport.
    transport: name === "coded" ? "tcp" : "udp",
  });
}

Deno.test({
  name: "two phones: relayed, SRTP on one side, direct",
  ignore: BARESIP.ignore,
  async fn(t) {
    await using lab = await Lab.start({ config: { sip: { accounts: ACCOUNTS } } });
    for (const pair of PAIRS) {
      const way = pair.isDirect ? "direct" : "relayed";
      await t.step(`${pair.caller} calls ${pair.callee}, ${way}`, () => converse(lab, pair));
    }
  },
});

async function converse(lab: Lab, { caller, callee, isDirect }: Pair): Promise<void> {
  await using one = await phoneOf(lab, caller, CALLER_HERTZ);
  await using other = await phoneOf(lab, callee, CALLEE_HERTZ);
  await one.dial(other.user);
  await other.rings();
  await one.tells("CALL_RINGING");
  await other.answer();
  await Promise.all([one.established(), other.established()]);
  await Promise.all([one.hears(CALLEE_HERTZ), other.hears(CALLER_HERTZ)]);

  const calls = await lab.calls();
  assert.deepEqual(calls.map(({ direction }) => direction), ["transit"]);
  const isOurs = (port: number) => port >= 26_000 && port < 27_000;
  for (const phone of [one, other]) {
    const ports = offeredPorts(phone, lab.sipPort);
    assert.ok(ports.length > 0 && ports.every((port) => isOurs(port) !== isDirect), `${ports}`);
  }
  const isSecure = (phone: Baresip) => /^m=audio \d+ RTP\/SAVP /m.test(phone.output);
  assert.equal(isSecure(one), caller === "coded");
  assert.equal(isSecure(other), callee === "coded");

  await one.hold();
  await other.receives(false);
  await one.resume();
  await Promise.all([one.receives(true), other.receives(true)]);
  await other.hangup();
  await one.closed();
  await lab.noLiveCalls();
}

/** Ports of audio in the descriptions that a phone was sent, among all that it wrote down. */
function offeredPorts(phone: Baresip, serverPort: number): number[] {
  const messages = phone.output.split(/^(?=(?:UDP|TCP|TLS) \S+ -> )/m);
  return messages.filter((text) => /^\w+ \S+:(\d+) -> /.exec(text)?.[1] === `${serverPort}`)
    .flatMap((text) => [...text.matchAll(/^m=audio (\d+) /gm)].map(([, port]) => Number(port)));
}
