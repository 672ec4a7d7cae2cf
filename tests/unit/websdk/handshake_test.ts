import assert from "node:assert/strict";
import { bench, connected, frame, OFFER, PHONE, SERVER_ID, statuses } from "./support.ts";
import { INCOMING } from "./support.ts";

Deno.test("getUserData echoes the connection with login, status and token, without the password", () => {
  const on = bench();
  const { socket, connection } = on.dial();
  connection.receive(frame("connection", { ...PHONE, custom: { a: [1] }, odd: 5, sipPort: 0 }));
  const { sipPassword: _, ...rest } = PHONE;
  assert.deepEqual(socket.frames, [{
    message: "getUserData",
    data: [{
      ...rest,
      sipPort: 0,
      custom: { a: [1] },
      odd: 5,
      status: "ESTABLISHED",
      authToken: "token-1",
    }],
  }]);
  assert.deepEqual(on.sessions.opened[0]!.log, ["ready"]);
});

Deno.test("a profile is what the client said, Port 0 under our own domain", () => {
  const { session } = connected();
  const { echo: _, ...profile } = session.profile;
  assert.deepEqual(profile, {
    appKey: "defaultApp",
    login: "alice",
    authName: "alice",
    password: "secret",
    domain: "pz.example",
    outboundProxy: "pz.example",
    port: 0,
    registerRequired: false,
    visibleName: null,
    keepAlive: true,
  });
});

Deno.test("login, password and domain alone mean Port 5060, register, login as auth name", () => {
  const on = bench();
  const { connection } = on.dial();
  connection.receive(
    frame("connection", { sipLogin: "alice", sipPassword: "x", sipDomain: "localhost" }),
  );
  const { profile } = on.sessions.opened[0]!;
  assert.equal(profile.port, 5060);
  assert.equal(profile.registerRequired, true);
  assert.equal(profile.authName, "alice");
  assert.equal(profile.domain, "localhost");
  assert.equal(profile.outboundProxy, "localhost");
  assert.equal(profile.keepAlive, false);
  assert.equal(profile.appKey, "defaultApp");
});

Deno.test("registered comes after getUserData, whenever the session says it", () => {
  const on = bench();
  on.sessions.onOpen = (session) => session.connection.notify({ type: "registered" });
  const { socket, connection } = on.dial();
  connection.receive(frame("connection", PHONE));
  assert.deepEqual(socket.names(), ["getUserData", "registered"]);
  assert.deepEqual(socket.last("registered"), { status: "REGISTERED", sipMessageRaw: null });
});

Deno.test("a token attaches to the kept session; its newest socket wins and the old one closes", () => {
  const { on, socket: first, session } = connected();
  const { socket, connection } = on.dial();
  session.onReady = () => {
    session.connection.notify({ type: "registered" });
    session.connection.notify({
      type: "remoteDescription",
      callId: INCOMING.callId,
      sdp: OFFER,
      isAnswer: false,
    });
    session.connection.notify({ type: "incoming", call: INCOMING });
  };
  connection.receive(frame("connection", { authToken: "token-1", keepAlive: true }));
  assert.deepEqual(statuses(socket.frames), [
    "getUserData ESTABLISHED",
    "registered REGISTERED",
    "setRemoteSDP",
    "notifyIncomingCall RING",
    "ring RING",
  ]);
  assert.equal(socket.last("getUserData")["sipLogin"], "alice");
  assert.equal("sipPassword" in socket.last("getUserData"), false);
  assert.equal(first.closes.length, 1);
  // The session moved on by itself: a late word of the old socket must not detach the new one.
  assert.deepEqual(session.log, ["ready", "ready"]);
});

Deno.test("an unknown token fails and closes, unless a login stands beside it", () => {
  const on = bench();
  const { socket, connection } = on.dial();
  connection.receive(frame("connection", { authToken: "gone", keepAlive: true }));
  assert.deepEqual(statuses(socket.frames), ["fail FAILED"]);
  assert.equal(socket.last("fail")["apiMethod"], "ConnectionStatusEvent");
  assert.equal(socket.last("fail")["field"], "authToken");
  assert.equal(socket.closes[0]?.code, 1000);
  assert.equal(on.sessions.opened.length, 0);

  const ios = on.dial();
  ios.connection.receive(frame("connection", { ...PHONE, authToken: "gone" }));
  assert.deepEqual(ios.socket.names(), ["getUserData"]);
  assert.equal(ios.socket.last("getUserData")["authToken"], "token-1");
});

Deno.test("a bad field of connection fails at once, named with character and rule, then close", () => {
  const cases: [Record<string, unknown>, string, RegExp][] = [
    [{ sipLogin: "al ice" }, "sipLogin", /blank \(U\+0020\) at position 3 .*RFC 3261/],
    [{ sipLogin: "a<b>" }, "sipLogin", /"<" \(U\+003C\) at position 2/],
    [{ sipLogin: "bob\r\nX: y" }, "sipLogin", /carriage return \(U\+000D\) at position 4/],
    [{ sipLogin: "alice@x" }, "sipLogin", /"@" \(U\+0040\)/],
    [{ sipLogin: "" }, "sipLogin", /empty/],
    [{ sipLogin: null }, "sipLogin", /empty/],
    [{ sipLogin: {} }, "sipLogin", /must be text and is an object/],
    [{ sipAuthenticationName: 'a"b' }, "sipAuthenticationName", /quote \(U\+0022\).*no blanks/],
    [{ sipAuthenticationName: "a b" }, "sipAuthenticationName", /blank/],
    [{ sipDomain: "exa mple" }, "sipDomain", /blank \(U\+0020\) at position 4/],
    [{ sipDomain: "x\ny" }, "sipDomain", /line feed/],
    [{ sipDomain: "пример" }, "sipDomain", /U\+043F/],
    [
      { sipDomain: "sip.example.org", sipOutboundProxy: "", sipPort: 5060 },
      "sipDomain",
      /sip\.outside\.allow/,
    ],
    [
      { sipDomain: "sip.example.org", sipOutboundProxy: "localhost", sipPort: 5060 },
      "sipDomain",
      /SIP Port 0/,
    ],
    [{ sipDomain: "localhost", sipPort: 5060, sipOutboundProxy: "far" }, "sipOutboundProxy", /far/],
    [
      { sipDomain: "localhost", sipOutboundProxy: "", sipPort: "5061" },
      "sipPort",
      /5061 is a port of another/,
    ],
    [{ sipPort: "70000" }, "sipPort", /"70000" is not a port/],
    [{ sipPort: "-1" }, "sipPort", /"-1" is not a port/],
    [{ sipPort: [] }, "sipPort", /must be text and is a list/],
    [{ sipRegisterRequired: "maybe" }, "sipRegisterRequired", /must be true or false/],
    [{ sipVisibleName: "A\u0007" }, "sipVisibleName", /U\+0007/],
    [{ sipPassword: "x".repeat(2000) }, "sipPassword", /2000 characters/],
  ];
  for (const [fields, field, words] of cases) {
    const on = bench();
    const { socket, connection } = on.dial();
    connection.receive(frame("connection", { ...PHONE, ...fields }));
    assert.deepEqual(statuses(socket.frames), ["fail FAILED"], JSON.stringify(fields));
    const fail = socket.last("fail");
    assert.equal(fail["apiMethod"], "ConnectionStatusEvent");
    assert.equal(fail["field"], field);
    assert.match(String(fail["info"]), words);
    assert.ok(String(fail["info"]).includes(field), String(fail["info"]));
    assert.deepEqual(socket.closes.map(({ code }) => code), [1000]);
    assert.equal(on.sessions.opened.length, 0);
    assert.equal(on.clock.pendingTimers, 0);
  }
});

Deno.test("what people are really called is accepted", () => {
  for (
    const fields of [
      { sipLogin: "Jürgen" },
      { sipLogin: "алиса" },
      { sipLogin: "a%20b" },
      { sipLogin: 10009 },
      { sipLogin: "o'neil+x;y=1/2?" },
      { sipAuthenticationName: "alice@example.org" },
      { sipAuthenticationName: "DOMAIN\\alice" },
      { sipDomain: "anything.example" },
      { sipDomain: "" },
      { sipDomain: "[2001:db8::1]" },
      { sipDomain: "2001:db8::1" },
      { sipVisibleName: 'The "boss" <ceo> Ünal' },
    ]
  ) connected(bench(), fields);
});

Deno.test("a session that refuses is told by field, and a failed registration closes", () => {
  const on = bench();
  on.sessions.refusal = { field: "sipPassword", text: "sipPassword: wrong for this account" };
  const refused = on.dial();
  refused.connection.receive(frame("connection", PHONE));
  assert.equal(refused.socket.last("fail")["info"], "sipPassword: wrong for this account");
  assert.equal(refused.socket.closes.length, 1);

  for (const authentication of [true, false]) {
    const { socket, notify, connection, session } = connected();
    notify({ type: "registrationFailed", sipStatus: 403, authentication, text: "Forbidden" });
    assert.deepEqual(socket.last("fail"), {
      apiMethod: "RegistrationStatusEvent",
      status: authentication ? "AUTHENTICATION_FAIL" : "FAILED",
      info: "403 Forbidden",
      sipStatus: 403,
      sipMessageRaw: null,
    });
    connection.disconnect("registration_failed");
    assert.equal(socket.frames.length, 1);
    assert.deepEqual(socket.closes.map(({ code }) => code), [1000]);
    connection.closed();
    assert.deepEqual(session.log, ["ready"]);
  }
});

Deno.test("a registration that fails before the client is connected is still told", () => {
  const on = bench();
  on.sessions.onOpen = ({ connection }) => {
    connection.notify({
      type: "registrationFailed",
      sipStatus: 401,
      authentication: true,
      text: "Unauthorized",
    });
    connection.disconnect("registration_failed");
  };
  const { socket, connection } = on.dial();
  connection.receive(frame("connection", PHONE));
  assert.deepEqual(statuses(socket.frames), ["fail AUTHENTICATION_FAIL"]);
  assert.equal(socket.closes.length, 1);
  assert.equal(on.clock.pendingTimers, 0);
});

Deno.test("nothing but connection is heard before connection", () => {
  const on = bench();
  const { socket, connection } = on.dial();
  for (const name of ["call", "hangup", "publishStream", "sendData", "pong", "nonsense"]) {
    connection.receive(frame(name, { callId: SERVER_ID, sdp: OFFER, callee: "bob" }));
  }
  assert.deepEqual(socket.frames, []);
  connection.receive(frame("connection", PHONE));
  connection.receive(frame("connection", { ...PHONE, sipLogin: "mallory" }));
  assert.deepEqual(socket.names(), ["getUserData"]);
  assert.deepEqual(on.sessions.opened.map(({ profile }) => profile.login), ["alice"]);
});

Deno.test("a socket that never says connection is closed; one for media players too", () => {
  const on = bench({ limits: { connectTimeout: 10_000 } });
  const silent = on.dial();
  on.clock.advance(9_999);
  assert.equal(silent.socket.closes.length, 0);
  on.clock.advance(1);
  assert.deepEqual(silent.socket.names(), ["fail"]);
  assert.equal(silent.socket.closes.length, 1);

  const player = on.dial();
  player.connection.receive(frame("connectMediaTransport", { authToken: "token-1" }));
  assert.equal(player.socket.closes.length, 1);
  assert.equal(on.clock.pendingTimers, 0);
});

Deno.test("the server's farewells: replaced, operator, shutdown", () => {
  for (
    const [reason, code] of [["replaced", 1000], ["operator", 1000], ["shutdown", 1001]] as const
  ) {
    const { socket, connection, session, on } = connected();
    connection.disconnect(reason);
    connection.disconnect(reason);
    connection.closed();
    assert.deepEqual(statuses(socket.frames), ["fail FAILED"]);
    assert.deepEqual(socket.closes.map((close) => close.code), [code]);
    assert.deepEqual(session.log, ["ready"]);
    assert.equal(on.clock.pendingTimers, 0);
  }
});
