import assert from "node:assert/strict";
import { FfiShell } from "../../src/rtp/io/ffi/ffi_shell.ts";
import {
  epollLayout,
  type Libc,
  openLibc,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SOL_SOCKET,
} from "../../src/rtp/io/ffi/libc.ts";
import { checkOf } from "../bench/relay/greeting.ts";
import { libcWith, memoryAt, ShellStage } from "../support/shell_stage.ts";

/** The fast shell's loop in this thread, with the system calls that matter played or counted. */

const ignore = Deno.build.os !== "linux";

/** The loop's clock, which only moves where the test says. */
let clock = 0;

class ClockShell extends FfiShell {
  protected override now(): number {
    return clock;
  }
}

interface Phase {
  readonly name: string;
  /** Datagrams of each wake-up, and ms that pass before it. */
  readonly packets: number;
  readonly ms: number;
  /** us that are waited for more; null: nothing is. */
  readonly gather: number | null;
}

/** A wake-up is ended by its drain: the socket is readable until then. */
class PlayedNetwork {
  readonly sleeps: number[] = [];
  wakeUps = 0;
  #isReadable = false;
  #waiting = 0;

  constructor(readonly next: () => Phase | null, readonly stop: () => void) {}

  readonly calls: Partial<Libc> = {
    epoll_wait: (_epoll, at, _most, timeout) => {
      if (timeout !== 0 && !this.#isReadable) {
        const phase = this.next();
        if (phase === null) {
          this.stop();
          return 0;
        }
        clock += phase.ms;
        this.wakeUps++;
        this.#waiting = phase.packets;
        this.#isReadable = true;
      }
      if (!this.#isReadable) return 0;
      const { size, data } = epollLayout(Deno.build.arch);
      // The first socket.
      memoryAt(at as bigint, size).setUint32(data, 0, true);
      return 1;
    },
    recvmmsg: () => {
      this.#isReadable = false;
      return this.#waiting;
    },
    usleep: (microseconds) => {
      this.sleeps.push(microseconds);
      clock += microseconds / 1000;
      return 0;
    },
  };
}

Deno.test({
  name: "gathering: once a wake-up while busy, as long as the rate says; never while idle",
  ignore,
  fn() {
    const phases: Phase[] = [
      { name: "idle", packets: 1, ms: 20, gather: null },
      { name: "20 calls", packets: 1, ms: 0.6, gather: null },
      { name: "100 calls", packets: 10, ms: 0.65, gather: 350 },
      { name: "500 calls", packets: 48, ms: 0.5, gather: 450 },
      { name: "1,000 calls", packets: 60, ms: 0.2, gather: 200 },
      { name: "idle again", packets: 1, ms: 20, gather: null },
    ];
    const EACH = 600;
    clock = 1000;
    const seen: { readonly wakeUps: number; readonly sleeps: number[] }[] = [];
    let count = 0;
    const network = new PlayedNetwork(
      () => {
        // The second half of each phase counts: the rate is known by then.
        if (count % (EACH / 2) === 0) {
          const sleeps = network.sleeps.splice(0);
          seen.push({ wakeUps: network.wakeUps, sleeps });
          network.wakeUps = 0;
        }
        return phases[Math.floor(count++ / EACH)] ?? null;
      },
      () => stage.descriptors.stop(),
    );
    using stage = new ShellStage(ClockShell, libcWith(network.calls));
    stage.shell.run();
    for (const [i, { name, gather }] of phases.entries()) {
      const { wakeUps, sleeps } = seen[2 * i + 2]!;
      assert.equal(wakeUps, EACH / 2);
      assert.equal(sleeps.length, gather === null ? 0 : EACH / 2, name);
      assert.deepEqual([...new Set(sleeps)], gather === null ? [] : [gather], name);
    }
  },
});

/** Is given up in the middle of the first datagram that it answers. */
class HungShell extends FfiShell {
  answers = 0;
  onAnswer: () => void = () => {};

  open(iceUfrag: string, icePwd: string): void {
    this.engine.command({ type: "open", endpoint: 1, kind: "webrtc", iceUfrag, icePwd }, 0);
  }

  override send(...datagram: Parameters<FfiShell["send"]>): void {
    this.answers++;
    this.onAnswer();
    super.send(...datagram);
  }
}

for (const isGivenUp of [false, true]) {
  Deno.test({
    name: isGivenUp
      ? "a worker that is given up in the middle of a datagram sends nothing more, takes nothing up"
      : "a worker that is not given up answers each of two datagrams",
    ignore,
    async fn() {
      let sent = 0;
      let waits = 0;
      const { sendto, epoll_wait } = openLibc();
      using stage: ShellStage<HungShell> = new ShellStage(
        HungShell,
        libcWith({
          sendto: (...datagram) => {
            sent++;
            return sendto(...datagram);
          },
          epoll_wait: (...call) => {
            if (++waits > 1) stage.descriptors.stop();
            return epoll_wait(...call);
          },
        }),
      );
      const [ready] = stage.told();
      assert.ok(ready?.type === "ready");
      const ice = { iceUfrag: "ufrag", icePwd: "a password of ours" };
      stage.shell.open(ice.iceUfrag, ice.icePwd);
      const { address: hostname, port } = ready.addresses[0]!;
      const browser = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
      for (let i = 0; i < 2; i++) {
        await browser.send(checkOf(ice), { transport: "udp", hostname, port });
      }
      browser.close();
      if (isGivenUp) stage.shell.onAnswer = () => stage.descriptors.fence();
      stage.shell.run();
      assert.deepEqual([stage.shell.answers, sent], isGivenUp ? [1, 0] : [2, 2]);
    },
  });
}

/** What an unprivileged process gets where nothing was set. */
const USUAL_LIMIT = 212_992;

function readyWhy(played: Partial<Libc>): string {
  using stage = new ShellStage(FfiShell, libcWith(played));
  const [ready] = stage.told();
  assert.ok(ready?.type === "ready");
  return ready.why!;
}

Deno.test({
  name: "receive buffers that the system keeps small are told of, with what to set",
  ignore,
  fn() {
    const { setsockopt } = openLibc();
    const asked: number[] = [];
    const why = readyWhy({
      setsockopt: (descriptor, level, option, at, length) => {
        if (level === SOL_SOCKET) {
          asked.push(option);
          if (option === SO_RCVBUFFORCE) return -1;
          const value = memoryAt(at as bigint, 4);
          if (option === SO_RCVBUF) {
            value.setInt32(0, Math.min(value.getInt32(0, true), USUAL_LIMIT), true);
          }
        }
        return setsockopt(descriptor, level, option, at, length);
      },
    });
    assert.equal(
      why,
      "a test; receive buffers of 208 KB instead of 4096: packets may be lost under load; " +
        "set the sysctl net.core.rmem_max to 4194304",
    );
    assert.deepEqual(asked.slice(0, 2), [SO_RCVBUFFORCE, SO_RCVBUF], "first by force, then asked");
  },
});

Deno.test({
  name: "receive buffers above the system's limit, for who may: nothing is to be said",
  ignore,
  fn() {
    const { setsockopt } = openLibc();
    const why = readyWhy({
      setsockopt: (descriptor, level, option, at, length) =>
        // As though the limit were low: only force gives more.
        level === SOL_SOCKET && option === SO_RCVBUF
          ? -1
          : setsockopt(descriptor, level, option, at, length),
    });
    const isAllowed = !why.includes("receive buffers");
    assert.equal(isAllowed, hasNetAdmin(), why);
  },
});

/** CAP_NET_ADMIN, the thirteenth. */
function hasNetAdmin(): boolean {
  const status = Deno.readTextFileSync("/proc/self/status");
  const [, effective] = /^CapEff:\s*([0-9a-f]+)/m.exec(status)!;
  return (BigInt(`0x${effective}`) >> 12n & 1n) === 1n;
}
