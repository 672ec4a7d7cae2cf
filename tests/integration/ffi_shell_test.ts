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
  /** Datagrams a ms. */
  readonly rate: number;
  /** us from one look to the next; null: a datagram wakes the loop. */
  readonly gather: number | null;
}

/** Of each phase on the test's clock, ms; what is in its second half counts. */
const PHASE = 400;
const BEGIN = 1000;

/** Datagrams come to one socket at the rate of the phase that the clock is in. */
class PlayedNetwork {
  readonly seen: { readonly sleeps: number[]; wakeUps: number }[];
  #waiting = 0;
  #until = BEGIN;

  constructor(readonly phases: readonly Phase[], readonly stop: () => void) {
    this.seen = phases.map(() => ({ sleeps: [], wakeUps: 0 }));
  }

  readonly calls: Partial<Libc> = {
    epoll_wait: (_epoll, at, _most, timeout) => {
      this.#arrive();
      if (this.#waiting < 1 && timeout !== 0) {
        const { rate } = this.#phase;
        clock += Math.min(timeout, Math.max(0.001, (1 - this.#waiting) / rate));
        this.#count((seen) => seen.wakeUps++);
        this.#arrive();
      }
      if (clock >= BEGIN + this.phases.length * PHASE) this.stop();
      if (this.#waiting < 1) return 0;
      const { size, data } = epollLayout(Deno.build.arch);
      // The first socket.
      memoryAt(at as bigint, size).setUint32(data, 0, true);
      return 1;
    },
    recvmmsg: (_descriptor, _at, most) => {
      const count = Math.min(most, Math.floor(this.#waiting));
      this.#waiting -= count;
      return count;
    },
    usleep: (microseconds) => {
      clock += microseconds / 1000;
      this.#count(({ sleeps }) => sleeps.push(microseconds));
      return 0;
    },
  };

  get #index(): number {
    return Math.min(this.phases.length - 1, Math.floor((clock - BEGIN) / PHASE));
  }

  get #phase(): Phase {
    return this.phases[this.#index]!;
  }

  #arrive(): void {
    this.#waiting += (clock - this.#until) * this.#phase.rate;
    this.#until = clock;
  }

  /** By the second half the rate of a phase is known. */
  #count(note: (seen: PlayedNetwork["seen"][number]) => void): void {
    if ((clock - BEGIN) % PHASE >= PHASE / 2) note(this.seen[this.#index]!);
  }
}

Deno.test({
  name: "gathering: a busy worker looks by the clock, as often as the rate says; an idle one never",
  ignore,
  fn() {
    const phases: Phase[] = [
      { name: "idle", rate: 0.05, gather: null },
      { name: "15 calls", rate: 1.5, gather: null },
      { name: "100 calls", rate: 10, gather: 400 },
      { name: "500 calls", rate: 50, gather: 550 },
      { name: "1,000 calls", rate: 100, gather: 200 },
      { name: "idle again", rate: 0.05, gather: null },
    ];
    clock = BEGIN;
    const network = new PlayedNetwork(phases, () => stage.descriptors.stop());
    using stage = new ShellStage(ClockShell, libcWith(network.calls));
    stage.shell.run();
    for (const [i, { name, gather }] of phases.entries()) {
      const { sleeps, wakeUps } = network.seen[i]!;
      assert.deepEqual([...new Set(sleeps)], gather === null ? [] : [gather], name);
      if (gather === null) assert.ok(wakeUps > 5, `${name}: ${wakeUps} wake-ups`);
      else {
        assert.equal(wakeUps, 0, name);
        const expected = PHASE / 2 * 1000 / gather;
        assert.ok(Math.abs(sleeps.length - expected) <= 2, `${name}: ${sleeps.length} looks`);
      }
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
