import assert from "node:assert/strict";
import { startWebFace } from "../support/web_face.ts";

Deno.test("accounts over REST: made, listed, removed; a password is never repeated", async () => {
  await using web = await startWebFace();
  const made = await web.post("/api/accounts", { name: "dora", password: "open sesame" });
  assert.equal(made.status, 201);
  assert.equal((await made.json()).name, "dora");
  const again = await web.post("/api/accounts", { name: "dora", password: "x" });
  assert.equal(again.status, 409);
  await again.body?.cancel();
  const listed = await web.request("/api/accounts?user=dora");
  const text = await listed.text();
  assert.equal(JSON.parse(text).accounts.length, 1);
  assert(!/sesame|password|digest/i.test(text), text);
  for (
    const body of [
      {},
      { name: "x" },
      { name: "", password: "secret-word" },
      { name: "a b", password: "secret-word" },
      { name: "x@y", password: "secret-word" },
      { name: "x", password: "" },
      { name: "x", password: "secret-word\r\n" },
      { name: "x", password: ["secret-word"] },
      { name: "x".repeat(65), password: "secret-word" },
    ]
  ) {
    const refused = await web.post("/api/accounts", body);
    assert.equal(refused.status, 400, JSON.stringify(body));
    assert(!(await refused.text()).includes("secret-word"), JSON.stringify(body));
  }
  const faults = [
    [{ rights: ["two words"] }, "rights"],
    [{ rights: "pstn" }, "rights"],
    [{ number: "0049 30" }, "number"],
    [{ number: 49 }, "number"],
  ] as const;
  for (const [grants, field] of faults) {
    for (
      const refused of [
        await web.post("/api/accounts", { name: "emil", password: "x", ...grants }),
        await web.post("/api/accounts/dora/rights", grants),
      ]
    ) {
      assert.equal(refused.status, 400);
      const problem = await refused.json();
      assert.equal(problem.field.split(".")[0], field);
      assert.match(problem.detail, new RegExp(`${field}.*, expected .*(word|telephone number)`));
    }
  }
  const granted = await web.post("/api/accounts/dora/rights", {
    rights: ["pstn"],
    number: "+49301",
  });
  assert.equal(granted.status, 200);
  const { rights, number } = await granted.json();
  assert.deepEqual([rights, number], [["pstn"], "+49301"]);
  const change = (name: string, body: unknown) => web.post(`/api/accounts/${name}/password`, body);
  const changes = [
    await change("dora", { password: "other-secret" }),
    await change("nobody", { password: "other-secret" }),
    await change("dora", { password: "other-secret\n" }),
  ];
  assert.deepEqual(changes.map(({ status }) => status), [204, 404, 400]);
  for (const answer of changes) assert(!(await answer.text()).includes("other-secret"));
  const remove = () =>
    web.request("/api/accounts/dora", {
      method: "DELETE",
      headers: { "content-type": "application/json" },
    });
  assert.equal((await remove()).status, 204);
  const gone = await remove();
  assert.equal(gone.status, 404);
  await gone.body?.cancel();
});
