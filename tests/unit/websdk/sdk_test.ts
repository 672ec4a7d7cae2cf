import assert from "node:assert/strict";
import type { ClientCall, ClientCommand } from "../../../src/actors/client.ts";
import type { CallId } from "../../../src/core/ids.ts";
import { termination, terminationOfStatus } from "../../../src/core/termination.ts";
import type { WebSdkOptions } from "../../../src/websdk/options.ts";
import type { WebSdkConnection } from "../../../src/websdk/connection.ts";
import type { Page, SdkCall, SdkSession } from "./sdk_page.ts";
import { openPage } from "./sdk_page.ts";
import type { Bench, TestSession, TestSocket } from "./support.ts";
import { bench, INCOMING, OFFER, OUTGOING } from "./support.ts";

/** The unmodified SDK 2.0.276 as the client of `WebSdkConnection`: does it do what we believe? */

interface Client {
  readonly page: Page;
  readonly on: Bench;
  readonly sdk: SdkSession;
  readonly socket: TestSocket;
  readonly connection: WebSdkConnection;
  /** Session and call statuses in the order in which the application heard them. */
  readonly heard: string[];
  readonly incoming: SdkCall[];
  session(): TestSession;
}

const SIP = {
  login: "alice",
  authenticationName: "alice",
  password: "secret",
  domain: "192.0.2.10",
  outboundProxy: "192.0.2.10",
  port: "0",
  registerRequired: true,
};

/** A session of the SDK on a connection of ours; what one sends the other hears a tick later. */
async function dial(
  options: { sip?: Record<string, unknown>; sdk?: Record<string, unknown>; on?: Bench } = {},
): Promise<Client> {
  const page = await openPage();
  const on = options.on ?? bench();
  const heard: string[] = [];
  const incoming: SdkCall[] = [];
  const sdk = page.sdk.createSession({
    urlServer: "ws://127.0.0.1:8080",
    keepAlive: true,
    ...(options.sdk ?? { sipOptions: { ...SIP, ...options.sip } }),
  });
  for (const status of Object.values(page.sdk.constants.SESSION_STATUS)) {
    if (status === "INCOMING_CALL") continue;
    sdk.on(status, (value) => {
      const info = (value as { info?: string }).info;
      heard.push(status === "WARN" ? `WARN ${info}` : status);
    });
  }
  sdk.on("INCOMING_CALL", (call) => {
    incoming.push(call as SdkCall);
    listen(call as SdkCall, page, heard, "in ");
  });
  const client = page.sockets[0]!;
  const { socket, connection } = on.dial();
  client.toServer = (text) => queueMicrotask(() => connection.receive(text));
  client.onLeave = () => queueMicrotask(() => connection.closed());
  socket.onFrame = (data) => queueMicrotask(() => client.onmessage({ data }));
  socket.onClose = () => queueMicrotask(() => client.close());
  client.readyState = 1;
  client.onopen();
  await settle();
  return {
    page,
    on,
    sdk,
    socket,
    connection,
    heard,
    incoming,
    session: () => on.sessions.opened[0]!,
  };
}

function listen(call: SdkCall, page: Page, heard: string[], prefix: string): void {
  for (const status of Object.values(page.sdk.constants.CALL_STATUS)) {
    call.on(status, () => heard.push(prefix + status));
  }
}

/** Lets every promise that is under way come to its end: there is no I/O and no timer in them. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((done) => setTimeout(done, 0));
}

function place(client: Client, options: Record<string, unknown> = {}): SdkCall {
  const call = client.sdk.createCall({
    callee: "bob",
    visibleName: "Alice",
    ...client.page.displays,
    constraints: { audio: false, video: false },
    ...options,
  });
  listen(call, client.page, client.heard, "");
  call.call();
  return call;
}

/** An outgoing call that rings. */
async function outgoing(options: Partial<WebSdkOptions> = {}): Promise<{
  client: Client;
  call: SdkCall;
  view: ClientCall;
}> {
  const client = await dial({ on: bench(options) });
  client.heard.length = 0;
  const call = place(client);
  await settle();
  const view = { ...OUTGOING, callId: call.id() as CallId };
  client.connection.notify({ type: "trying", call: view });
  client.connection.notify({ type: "ringing", call: view, sipStatus: 180 });
  await settle();
  return { client, call, view };
}

function commands(client: Client): string[] {
  return client.session().commands.map(({ type }: ClientCommand) => type);
}

Deno.test("SDK: connect, ESTABLISHED with the token, REGISTERED", async () => {
  const client = await dial();
  client.connection.notify({ type: "registered" });
  await settle();
  assert.deepEqual(client.heard, ["CONNECTED", "ESTABLISHED", "REGISTERED"]);
  assert.deepEqual(client.page.errors, []);
});

Deno.test("SDK: a bad login is a WARN that says what is wrong, then DISCONNECTED", async () => {
  const client = await dial({ sip: { login: "al ice" } });
  const [connectedStatus, warning, ...rest] = client.heard;
  assert.equal(connectedStatus, "CONNECTED");
  assert.match(warning ?? "", /^WARN sipLogin: character blank \(U\+0020\) at position 3/);
  assert.deepEqual(rest, ["DISCONNECTED"]);
});

Deno.test("SDK: connect with a token knows its login again", async () => {
  const first = await dial();
  const second = await dial({
    on: first.on,
    sdk: { authToken: first.session().authToken },
  });
  assert.deepEqual(second.heard, ["CONNECTED", "ESTABLISHED"]);
  await settle();
  assert.equal(first.heard.at(-1), "DISCONNECTED");
  assert.equal(place(second).caller(), "alice");
});

Deno.test("SDK: outgoing call, answer, hold, unhold, DTMF, remote hang-up", async () => {
  const { client, call, view } = await outgoing();
  const { connection } = client;
  connection.notify({
    type: "remoteDescription",
    callId: view.callId,
    sdp: OFFER,
    isAnswer: true,
  });
  connection.notify({ type: "talking", call: view });
  await settle();
  assert.equal(client.page.peers[0]!.signalingState, "stable");
  call.hold();
  await settle();
  connection.notify({ type: "held", call: view });
  await settle();
  call.unhold();
  call.sendDTMF(5, "RFC2833");
  await settle();
  connection.notify({ type: "talking", call: view });
  connection.notify({ type: "finished", call: view, termination: termination("remote_hangup") });
  await settle();
  assert.deepEqual(client.heard, [
    "TRYING",
    "RING",
    "ESTABLISHED",
    "HOLD",
    "ESTABLISHED",
    "FINISH",
  ]);
  assert.deepEqual(commands(client), ["call", "hold", "unhold", "dtmf"]);
  assert.equal(client.page.peers[0]!.signalingState, "closed");
  assert.deepEqual(client.page.errors, []);
});

Deno.test("SDK: incoming call, answered, hung up by its user", async () => {
  const client = await dial();
  client.heard.length = 0;
  const { connection } = client;
  connection.notify({ type: "incoming", call: INCOMING });
  connection.notify({
    type: "remoteDescription",
    callId: INCOMING.callId,
    sdp: OFFER,
    isAnswer: false,
  });
  await settle();
  const call = client.incoming[0]!;
  assert.deepEqual([call.caller(), call.callee(), call.visibleName()], ["alice", "bob", "Alice"]);
  call.answer({ ...client.page.displays, constraints: { audio: false, video: false } });
  await settle();
  assert.deepEqual(commands(client), ["answer"]);
  assert.deepEqual(client.page.peers[0]!.remote, [OFFER]);
  connection.notify({ type: "talking", call: INCOMING });
  await settle();
  call.hangup();
  await settle();
  connection.notify({ type: "finished", call: INCOMING, termination: termination("hangup") });
  await settle();
  assert.deepEqual(commands(client), ["answer", "hangup"]);
  assert.deepEqual(client.heard, ["in RING", "in ESTABLISHED", "in FINISH"]);
  assert.deepEqual(client.page.errors, []);
});

Deno.test("SDK: an incoming call is rejected while it rings, and the server hears it", async () => {
  const client = await dial();
  const { connection } = client;
  const { callId } = INCOMING;
  connection.notify({ type: "remoteDescription", callId, sdp: OFFER, isAnswer: false });
  connection.notify({ type: "incoming", call: INCOMING });
  await settle();
  client.incoming[0]!.hangup();
  await settle();
  assert.deepEqual(commands(client), ["hangup"]);
});

Deno.test("SDK: early media is SESSION_PROGRESS, with one description", async () => {
  const { client, view } = await outgoing();
  client.connection.notify({
    type: "remoteDescription",
    callId: view.callId,
    sdp: OFFER,
    isAnswer: true,
  });
  client.connection.notify({ type: "ringing", call: view, sipStatus: 183 });
  client.connection.notify({ type: "talking", call: view });
  await settle();
  assert.deepEqual(client.heard, ["TRYING", "RING", "SESSION_PROGRESS", "ESTABLISHED"]);
  assert.equal(client.page.peers[0]!.remote.length, 1);
});

Deno.test("SDK: each end of an outgoing call releases the call object", async () => {
  const cases: [number, string[]][] = [
    [486, ["FINISH"]],
    [603, ["FINISH"]],
    [487, ["FINISH"]],
    [404, ["WARN Nobody of that name is known", "FAILED"]],
    [480, ["WARN Nobody of that name is online", "FAILED"]],
  ];
  for (const [status, expected] of cases) {
    const { client, call, view } = await outgoing();
    const end = terminationOfStatus(status, "Reason");
    client.connection.notify({ type: "finished", call: view, termination: end });
    await settle();
    assert.deepEqual(client.heard, ["TRYING", "RING", ...expected], `${status}`);
    assert.equal(client.page.peers[0]!.signalingState, "closed");
    assert.equal(call.status(), expected.at(-1));
  }
  const { client, view } = await outgoing({ busyStatus: "BUSY" });
  client.connection.notify({ type: "finished", call: view, termination: termination("busy") });
  await settle();
  assert.deepEqual(client.heard, ["TRYING", "RING", "BUSY"]);
  assert.equal(client.page.peers[0]!.signalingState, "closed");
});

Deno.test("SDK: a call without callee fails at once and in words", async () => {
  const client = await dial();
  client.heard.length = 0;
  const call = place(client, { callee: "" });
  await settle();
  assert.equal(call.status(), "FAILED");
  assert.match(client.heard[0] ?? "", /^WARN callee: is empty/);
  assert.deepEqual(client.heard.slice(1), ["FAILED"]);
});

Deno.test("SDK: hangup and disconnect at once, in this order", async () => {
  const { client, call } = await outgoing();
  call.hangup();
  client.sdk.disconnect();
  await settle();
  assert.deepEqual(client.session().log, ["ready", "call", "hangup", "detach"]);
  assert.equal(client.on.clock.pendingTimers, 0);
});

Deno.test("SDK: pings are answered for as long as the page lives", async () => {
  const client = await dial();
  for (let i = 0; i < 30; i++) {
    client.on.clock.advance(5_000);
    await settle();
  }
  assert.equal(client.socket.closes.length, 0);
  assert.equal(client.socket.names().filter((name) => name === "ping").length, 30);
});
