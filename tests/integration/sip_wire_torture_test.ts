/**
 * Each torture message of RFC 4475 at the real server, by datagram and by stream: whatever becomes
 * of it, an OPTIONS after it is answered.
 */
import assert from "node:assert/strict";
import { HostileSource } from "../support/hostile_source.ts";
import { Lab } from "../support/lab.ts";
import { SipPeer } from "../support/sip_peer.ts";
import { ROWS } from "../torture/rows.ts";
import { SOURCES } from "../torture/sources.ts";

/** An OPTIONS is sent so often before it counts as not answered. */
const TRIES = 10;

for (const source of SOURCES) {
  Deno.test(`torture messages by datagram, an OPTIONS after each (${source.name})`, async () => {
    await using lab = await Lab.start();
    await using peer = new HostileSource("127.0.0.1", lab.sipPort);
    for (const row of ROWS) {
      await peer.send(source.read(row));
      let status: number | undefined;
      for (let left = TRIES; left > 0 && status === undefined; left--) {
        const ping = peer.request("OPTIONS", `sip:127.0.0.1:${lab.sipPort}`);
        status = (await peer.ask(ping))?.status;
      }
      assert.equal(status, 200, row.name);
    }
  });

  Deno.test(`torture messages by stream, an OPTIONS after each (${source.name})`, async () => {
    await using lab = await Lab.start();
    const target = { transport: "TCP", host: "127.0.0.1", port: lab.sipPort } as const;
    const ping = async (peer: SipPeer, name: string) => {
      const options = peer.request("OPTIONS", `sip:127.0.0.1:${lab.sipPort}`);
      await peer.send(options);
      const branch = options.topVia.branch ?? "";
      const isAnswer = () =>
        peer.heard.some((one) =>
          one.kind === "response" && one.headers.get("Via")?.includes(branch) === true &&
          one.status === 200
        );
      await peer.until(`${name}: OPTIONS is answered`, () => peer.isClosed || isAnswer());
      return isAnswer();
    };
    for (const row of ROWS) {
      await using peer = await SipPeer.open("1000", target);
      await peer.raw(new Uint8Array(source.read(row)));
      // Over the same connection, unless it waits for more of the message or has lost its frame.
      if (row.stream !== "waits" && await ping(peer, row.name).catch(() => false)) continue;
      const isExcused = row.stream === "waits" || peer.isClosed;
      assert(isExcused, `${row.name}: the connection stands, but OPTIONS is not answered`);
      await using other = await SipPeer.open("1000", target);
      assert(await ping(other, row.name), `${row.name}: OPTIONS on another connection`);
    }
  });
}
