import assert from "node:assert/strict";
import { e2e, HIGH_HERTZ, LOW_HERTZ } from "../support/browser.ts";
import { bothFinish, connect } from "../support/sdk_page.ts";

/** Windows that close, come back, and are two of one name. */

e2e("windows and sessions", {}, async (t, stage) => {
  const { lab } = stage;

  await stage.step(t, "a window closed in mid-call ends the other side", async () => {
    const [alice, bob] = await stage.pair();
    await connect(alice, bob);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await bob.page.close();
    await alice.callIs("FINISH", { ms: 5_000 });
    await lab.noLiveCalls();
  });

  await stage.step(t, "a caller whose window closes stops the ringing", async () => {
    const [alice, bob] = await stage.pair();
    await alice.call(bob.name);
    await bob.rings();
    await alice.page.close();
    await bob.callIs("FINISH", { ms: 5_000 });
  });

  await stage.step(t, "a window loaded anew comes back by its token and is called", async () => {
    const alice = await stage.user(stage.unique("alice"), LOW_HERTZ);
    const bob = await stage.user(stage.unique("bob"), HIGH_HERTZ);
    await alice.login();
    const authToken = await bob.login();
    await bob.reload();
    await bob.login({ authToken });
    await connect(alice, bob);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await bob.hangup();
    await bothFinish(alice, bob);
    const sessions = await lab.get<{ sessions: { login: string; state: string }[] }>(
      `/api/sessions?user=${bob.name}`,
    );
    assert.deepEqual(sessions.sessions.map(({ state }) => state), ["established"]);
  });

  await stage.step(
    t,
    "a call that comes while the window loads rings once it is back",
    async () => {
      const alice = await stage.user(stage.unique("alice"), LOW_HERTZ);
      const bob = await stage.user(stage.unique("bob"), HIGH_HERTZ);
      await alice.login();
      const authToken = await bob.login();
      await bob.reload();
      await alice.call(bob.name);
      await alice.callIs("RING");
      await bob.login({ authToken });
      await bob.rings();
      await bob.answer();
      await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
      await alice.hangup();
      await bothFinish(alice, bob);
    },
  );

  await stage.step(t, "a token that nobody has", async () => {
    const alice = await stage.user(stage.unique("alice"), LOW_HERTZ);
    await alice.startLogin({ authToken: "/127.0.0.1:1/127.0.0.1:2-none" });
    await Promise.all([alice.session("WARN"), alice.session("DISCONNECTED")]);
  });

  await stage.step(t, "two windows of one name ring, the first answer wins", async () => {
    const [alice, bob] = await stage.pair();
    const second = await stage.user(bob.name, HIGH_HERTZ);
    await second.login();
    await alice.call(bob.name);
    await Promise.all([bob.rings(), second.rings()]);
    await second.answer();
    await Promise.all([alice.callIs("ESTABLISHED"), second.callIs("ESTABLISHED")]);
    await bob.callIs("FINISH");
    await Promise.all([alice.hears(HIGH_HERTZ), second.hears(LOW_HERTZ)]);
    assert.equal((await lab.calls()).length, 2);
    await second.hangup();
    await bothFinish(alice, second);

    // The window that lost takes the next one.
    await alice.call(bob.name);
    await Promise.all([bob.rings(2), second.rings(2)]);
    await bob.answer();
    await Promise.all([alice.callIs("ESTABLISHED"), bob.callIs("ESTABLISHED")]);
    await second.callIs("FINISH");
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await alice.hangup();
    await bothFinish(alice, bob);
  });
});

e2e("accounts and logins", {}, async (t, stage) => {
  await stage.step(t, "accounts of the lab register by their password and call", async () => {
    const [low, high] = await Promise.all([
      stage.user("1000", LOW_HERTZ),
      stage.user("1001", HIGH_HERTZ),
    ]);
    const port = String(stage.lab.sipPort);
    const account = { password: "1234", port, registerRequired: true };
    await Promise.all([low.login(account), high.login(account)]);
    await connect(low, high);
    await Promise.all([low.hears(HIGH_HERTZ), high.hears(LOW_HERTZ)]);
    await low.hangup();
    await bothFinish(low, high);
  });

  await stage.step(t, "a wrong password", async () => {
    for (const port of [String(stage.lab.sipPort), "0"]) {
      const user = await stage.user("1002", LOW_HERTZ);
      await user.startLogin({ password: "4321", port, registerRequired: true });
      const [{ text }] = await Promise.all([user.session("WARN"), user.session("DISCONNECTED")]);
      const fault = JSON.parse(text ?? "{}") as { status?: string; info?: string };
      assert.equal(fault.status, "AUTHENTICATION_FAIL", text);
      assert.match(fault.info ?? "", /password/i);
    }
  });

  await stage.step(t, "a login with a blank names field, character and rule", async () => {
    const user = await stage.user("nobody", LOW_HERTZ);
    await user.startLogin({ login: "Ralf C12441@host.com" });
    const [{ text }] = await Promise.all([user.session("WARN"), user.session("DISCONNECTED")]);
    const { info } = JSON.parse(text ?? "{}") as { info?: string };
    assert.match(info ?? "", /sipLogin/);
    assert.match(info ?? "", /blank|space|" "/);
  });

  await stage.step(t, "a SIP server of others that is not there is named", async () => {
    const user = await stage.user("outsider", LOW_HERTZ);
    await user.startLogin({ port: "5999", registerRequired: true });
    const [{ text }] = await Promise.all([user.session("WARN"), user.session("DISCONNECTED")]);
    assert.match(text ?? "", /127\.0\.0\.1:5999/);
  });
});
