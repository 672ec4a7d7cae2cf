/**
 * The C library's sockets. Pointers are `u64`, see `Arena`. Constants are those of Linux, where
 * x86-64 and arm64 agree on all that is named here but the layout of `epoll_event`.
 */
const P = "u64" as const;
const I = "i32" as const;

export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SO_RCVBUF = 8;
export const SO_SNDBUF = 7;
/** Above the system's limits, where the process may. */
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const IPPROTO_IP = 0;
export const IP_TOS = 1;
export const IPPROTO_UDP = 17;
export const UDP_SEGMENT = 103;
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = 26;
export const IPV6_TCLASS = 67;
export const MSG_DONTWAIT = 0x40;
export const MSG_TRUNC = 0x20;
export const EPOLLIN = 1;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CLOEXEC = 0o2000000;
export const EFD_NONBLOCK = 0o4000;
export const EFD_CLOEXEC = 0o2000000;
export const CLOCK_MONOTONIC = 1;
export const PRIO_PROCESS = 0;
export const EIO = 5;
export const EINVAL = 22;
export const ENOPROTOOPT = 92;
export const EOPNOTSUPP = 95;
export const EADDRINUSE = 98;
export const PR_SET_TIMERSLACK = 29;

/** Sizes on 64-bit Linux, bytes: `struct mmsghdr`, `msghdr` in it, `iovec`, `sockaddr_in6`. */
export const MMSGHDR = 64;
export const MSG_LENGTH = 56;
export const IOVEC = 16;
export const SOCKADDR = 28;
export const SOCKADDR_IN = 16;
/** A control message with one 16-bit value: CMSG_SPACE(2). */
export const CMSG_U16 = 24;
/** One with a 32-bit value: CMSG_SPACE(4), and the length that is written in it. */
export const CMSG_I32 = 24;
export const CMSG_I32_LENGTH = 20n;

/** `epoll_event` is packed on x86-64 only; `data` follows the 4 bytes of `events`, or 8. */
export function epollLayout(arch: string): { readonly size: number; readonly data: number } {
  return arch === "x86_64" ? { size: 12, data: 4 } : { size: 16, data: 8 };
}

const SYMBOLS = {
  socket: { parameters: [I, I, I], result: I },
  bind: { parameters: [I, P, I], result: I },
  getsockname: { parameters: [I, P, P], result: I },
  setsockopt: { parameters: [I, I, I, P, I], result: I },
  getsockopt: { parameters: [I, I, I, P, P], result: I },
  close: { parameters: [I], result: I },
  epoll_create1: { parameters: [I], result: I },
  epoll_ctl: { parameters: [I, I, I, P], result: I },
  epoll_wait: { parameters: [I, P, I, I], result: I },
  recvmmsg: { parameters: [I, P, "u32", I, P], result: I },
  sendmmsg: { parameters: [I, P, "u32", I], result: I },
  sendto: { parameters: [I, P, P, I, P, I], result: I },
  eventfd: { parameters: ["u32", I], result: I },
  read: { parameters: [I, P, P], result: I },
  write: { parameters: [I, P, P], result: I },
  prctl: { parameters: [I, P, P, P, P], result: I },
  clock_gettime: { parameters: [I, P], result: I },
  gettid: { parameters: [], result: I },
  sched_getscheduler: { parameters: [I], result: I },
  setpriority: { parameters: [I, "u32", I], result: I },
  usleep: { parameters: ["u32"], result: I },
  __errno_location: { parameters: [], result: "pointer" },
} as const;

export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

let opened: Libc | undefined;

/** @throws Error where this is no 64-bit little-endian Linux, or the library is not to be had */
export function openLibc(): Libc {
  if (Deno.build.os !== "linux") throw new Error(`the system is ${Deno.build.os}, not Linux`);
  return opened ??= Deno.dlopen("libc.so.6", SYMBOLS).symbols;
}

/** Of the call that has just failed; to be read at once. */
export function errno(libc: Libc): number {
  const at = libc.__errno_location();
  return at === null ? 0 : new Deno.UnsafePointerView(at).getInt32();
}
