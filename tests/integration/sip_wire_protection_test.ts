import assert from "node:assert/strict";
import type { HealthView, ProtectionView } from "../../src/actors/control_plane.ts";
import { SeededEntropy } from "../../src/core/entropy.ts";
import { serialize, type SipRequest, type SipResponse } from "../../src/sip/message/mod.ts";
import { HostileSource } from "../support/hostile_source.ts";
import { Lab } from "../support/lab.ts";
import { needs } from "../support/needs.ts";
import { SipPeer } from "../support/sip_peer.ts";

/** The real server among sources that mean it ill, each with an address of its own on loopback. */

const SIPVICIOUS = needs("sipvicious");
const LIMITED = { PORTZERO_SIP_LIMITS_LOOPBACK: "true" };
/** Lines of the guard in the log. */
const LINE = /a SIP source is (?:limited|blocked)/;

const random = new SeededEntropy(4711);

async function sourceOf(lab: Lab, address: string) {
  const { sources } = await lab.get<ProtectionView>("/api/protection");
  return sources.find(({ source }) => source === address);
}

function linesOn(lab: Lab, address: string): number {
  return lab.child.output.split("\n").filter((line) => LINE.test(line) && line.includes(address))
    .length;
}

async function phones(lab: Lab): Promise<[SipPeer, SipPeer]> {
  const target = { transport: "UDP", host: "127.0.0.1", port: lab.sipPort } as const;
  const pair = [await SipPeer.open("1000", target), await SipPeer.open("1001", target)] as const;
  for (const phone of pair) assert.equal((await phone.register()).status, 200);
  return [...pair];
}

/** ACKs have no answer, so that they are repeated blindly. */
const ACKS = 3;

/** INVITE to ACK; how to end it comes back. A flood may swallow datagrams: all is repeated. */
async function call(caller: SipPeer, callee: SipPeer): Promise<() => Promise<SipResponse>> {
  caller.heard.length = callee.heard.length = 0;
  for (const phone of [caller, callee]) {
    phone.onRequest = (request) => {
      if (request.method !== "ACK") void phone.answer(request, 200);
    };
  }
  const invite = caller.request("INVITE", `sip:${callee.user}@localhost`);
  const answered = caller.ask(invite);
  const received = await callee.hearRequest("INVITE");
  const response = await answered;
  assert.equal(response.status, 200);
  for (let at = 0; at < ACKS; at++) await caller.ack(invite, response);
  return () => callee.ask(byeOf(callee, received, response));
}

/** The callee's BYE along the routes that the INVITE recorded. */
function byeOf(callee: SipPeer, received: SipRequest, response: SipResponse): SipRequest {
  const { contacts } = received;
  assert(contacts !== "*" && contacts[0]);
  const bye = callee.request("BYE", contacts[0].uri.toString());
  bye.headers.set("From", response.headers.get("To")!);
  bye.headers.set("To", received.headers.get("From")!);
  bye.headers.set("Call-ID", received.callId);
  bye.headers.remove("Contact");
  for (const route of received.headers.getAll("Record-Route")) bye.headers.append("Route", route);
  return bye;
}

Deno.test("hostile sources are held back, each by itself, while others call", async (t) => {
  await using lab = await Lab.start({ env: LIMITED });
  const [alice, bob] = await phones(lab);
  await using _alice = alice;
  await using _bob = bob;
  await using garbage = new HostileSource("127.0.0.66", lab.sipPort);

  await t.step("a flood of garbage", async () => {
    const calling = call(alice, bob);
    await garbage.flood(3_000, (at) => random.bytes(20 + at % 400));
    assert.equal((await (await calling)()).status, 200);
    const held = await lab.until(
      "the source is blocked",
      () => sourceOf(lab, garbage.address),
      (found) => found?.state === "blocked",
    );
    assert(held && held.dropped > 1_000, JSON.stringify(held));
    assert.deepEqual(held.reasons.map(({ reason }) => reason), [
      "messages that cannot be read",
      "messages while blocked",
    ]);
    assert(garbage.heardBytes <= garbage.sentBytes * 3, "no amplifier");
    assert(linesOn(lab, garbage.address) <= 3, "few lines of log");
    assert.equal(await sourceOf(lab, "127.0.0.1"), undefined, "the phones have done nothing");
  });

  await t.step("a block is lifted by hand", async () => {
    const ping = () => garbage.ask(garbage.request("OPTIONS", `sip:127.0.0.1:${lab.sipPort}`));
    assert.equal(await ping(), undefined);
    const lift = (path: string) => fetch(lab.origin + path, { method: "DELETE" });
    assert.equal((await lift("/api/protection/192.0.2.1")).status, 404);
    assert.equal((await lift(`/api/protection/${garbage.address}`)).status, 204);
    assert.equal((await ping())?.status, 200);
  });

  await t.step("passwords are tried", async () => {
    await using cracker = new HostileSource("127.0.0.67", lab.sipPort);
    const answers: (number | undefined)[] = [];
    for (let at = 0; at < 40 && answers.at(-1) !== undefined || at === 0; at++) {
      answers.push(await cracker.tryPassword("1002", `guess${at}`));
    }
    const tried = answers.filter((status) => status === 403).length;
    assert(tried >= 10 && tried <= 21, `${tried} passwords could be tried`);
    assert.equal(answers.at(-1), undefined, "then there is silence");
    assert.equal(await cracker.tryPassword("1002", "1234"), undefined, "for the right one too");
    assert.equal((await sourceOf(lab, cracker.address))?.state, "blocked");
    assert.equal((await alice.register()).status, 200);
  });

  await t.step("who is blocked can't connect either", async () => {
    // A connection comes from the address that it goes to: so it is the phones' own.
    await using nonsense = new HostileSource("127.0.0.1", lab.sipPort);
    await nonsense.flood(40, (at) => random.bytes(20 + at));
    await lab.until(
      "the address is blocked",
      () => sourceOf(lab, nonsense.address),
      (found) => found?.state === "blocked",
    );
    const conn = await Deno.connect({ hostname: nonsense.address, port: lab.sipPort });
    const count = await conn.read(new Uint8Array(1)).catch(() => null);
    assert.equal(count, null, "closed at once");
    conn.close();
    assert.equal((await alice.register()).status, 200, "a registered phone is spared");
    await fetch(`${lab.origin}/api/protection/${nonsense.address}`, { method: "DELETE" });
  });

  await t.step("a flood of calls", async () => {
    await using flooder = new HostileSource("127.0.0.68", lab.sipPort);
    const flooding = flooder.flood(
      2_000,
      () => serialize(flooder.request("INVITE", "sip:1001@localhost")),
    );
    const end = await call(alice, bob);
    await flooding;
    assert.equal((await end()).status, 200);
    const held = await lab.until(
      "the flooder is held back",
      () => sourceOf(lab, flooder.address),
      (found) => found !== undefined && found.dropped > 500,
    );
    assert.equal(held?.state, "blocked");
    assert(flooder.answers.every(({ status }) => [100, 407, 503].includes(status)));
    assert(flooder.heardBytes <= flooder.sentBytes * 3, "no amplifier");
    assert.equal((await lab.get<HealthView>("/api/health")).status, "ok");
  });
});

Deno.test("names are looked for: after some there is silence, whoever exists", async () => {
  await using lab = await Lab.start({ env: LIMITED });
  await using sweeper = new HostileSource("127.0.0.69", lab.sipPort);
  let answered = 0;
  for (let name = 990; name < 1_400; name++) {
    const method = name % 2 === 0 ? "REGISTER" : "OPTIONS";
    const answer = await sweeper.ask(sweeper.request(method, `sip:${name}@localhost`));
    if (!answer) break;
    assert(answer.status === 401 || answer.status === 407, `${name}: ${answer.status}`);
    answered++;
  }
  assert(answered >= 100 && answered <= 250, `${answered} names were answered`);
  const held = await sourceOf(lab, sweeper.address);
  assert.equal(held?.state, "blocked");
  assert(held.reasons.some(({ reason }) => reason === "challenges that were not answered"));
});

Deno.test("overload: new calls and registrations wait, calls that stand go on", async () => {
  await using lab = await Lab.start({ env: { PORTZERO_SIP_LIMITS_TRANSACTIONS: "100" } });
  const [alice, bob] = await phones(lab);
  await using _alice = alice;
  await using _bob = bob;
  const end = await call(alice, bob);
  await using busy = new HostileSource("127.0.0.70", lab.sipPort);
  await busy.flood(
    150,
    () => serialize(busy.request("OPTIONS", `sip:127.0.0.1:${lab.sipPort}`)),
  );
  const health = await lab.until(
    "the server says that it is overloaded",
    () => lab.get<HealthView>("/api/health").catch(() => undefined),
    (found) => found?.status === "degraded",
  );
  assert.match(health!.reasons.join(), /\d+ SIP transactions are alive, 100 are too many/);
  assert.equal((await lab.get<ProtectionView>("/api/protection")).overload.active, true);
  for (
    const refused of [
      await alice.ask(alice.request("INVITE", "sip:1001@localhost")),
      await bob.register(),
    ]
  ) {
    assert.equal(refused.status, 503);
    const seconds = Number(refused.headers.get("Retry-After"));
    assert(seconds >= 5 && seconds <= 30, `Retry-After: ${seconds}`);
  }
  assert.equal((await end()).status, 200, "BYE");
});

Deno.test("WebSockets of one address have a limit", async () => {
  await using lab = await Lab.start({ env: { ...LIMITED, PORTZERO_SESSION_MAXPERADDRESS: "3" } });
  const open = () => {
    const socket = new WebSocket(lab.webSocket);
    const { promise, resolve } = Promise.withResolvers<WebSocket | undefined>();
    socket.onopen = () => resolve(socket);
    socket.onerror = () => resolve(undefined);
    return promise;
  };
  const close = (socket: WebSocket) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.onclose = () => resolve();
    socket.close();
    return promise;
  };
  const sockets = [await open(), await open(), await open()];
  assert(sockets.every((socket) => socket !== undefined));
  assert.equal(await open(), undefined, "a fourth");
  await close(sockets[0]!);
  const again = await lab.until("there is room again", open, (socket) => socket !== undefined);
  await Promise.all([again!, ...sockets.slice(1)].map((socket) => close(socket!)));
});

Deno.test({
  name: "SIPVicious learns little and is silenced",
  ignore: SIPVICIOUS.ignore,
  async fn(t) {
    // Its tools bind where they like: here they share their address with the phone.
    const address = "127.0.0.1";
    await using lab = await Lab.start({ env: LIMITED });
    const folder = SIPVICIOUS.path.slice(0, SIPVICIOUS.path.lastIndexOf("/"));
    const directory = await Deno.makeTempDir({ prefix: "portzero-sipvicious-" });
    const run = async (command: string, args: readonly string[]) => {
      const { stdout, stderr } = await new Deno.Command(`${folder}/${command}`, {
        args: ["-p", `${lab.sipPort}`, ...args, address],
        cwd: directory,
        env: { HOME: directory },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
        // Once nobody answers it waits for long.
        signal: AbortSignal.timeout(12_000),
      }).output();
      return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    };
    const extensions = ["-e", "1000-1300", "--force"];
    await using phone = await SipPeer.open("1000", {
      transport: "UDP",
      host: address,
      port: lab.sipPort,
    });
    assert.equal((await phone.register()).status, 200);
    for (
      const [command, ...args] of [
        ["svmap", "-m", "OPTIONS"],
        ["svwar", "-m", "REGISTER", ...extensions],
        ["svwar", "-m", "INVITE", ...extensions],
        ["svcrack", "-u", "1001", "-r", "1-1300", "-z", "4"],
      ] as const
    ) {
      await t.step(`${command} ${args[1]}`, async () => {
        const told = await run(command, args);
        assert.doesNotMatch(told, /\| *(?:1001|1234) *\|/, "an account or its password");
        assert.equal((await phone.register()).status, 200, "who is registered is spared");
        if (command !== "svcrack") return;
        const held = await sourceOf(lab, address);
        assert.equal(held?.state, "blocked", told);
        assert(held.dropped > 10, `${held.dropped} dropped`);
      });
    }
    await Deno.remove(directory, { recursive: true });
  },
});
