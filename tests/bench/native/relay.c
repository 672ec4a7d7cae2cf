/*
 * The reference: what a relay costs that does nothing else. relay TABLE
 * One thread in epoll_wait; datagrams gathered for GATHER_US (0: taken at once), batches of recvmmsg and
 * sendmmsg on ports that calls share. RTCP is decrypted and passed on like RTP. No statistics, no reports of
 * its own, no ICE.
 * cc -O2 -o relay relay.c -lcrypto
 */
#define _GNU_SOURCE
#include "rtcp.h"
#include "srtp.h"
#include "table.h"
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 64
#define SLOT 2048
#define BUCKETS 65536

struct leg {
  struct sockaddr_in peer;
  struct srtp receive, send;
  int fd, far; /* index of the other leg */
};
/* A socket of one leg, or of many: then `leg` is -1 and the sender's address tells. */
struct port {
  int fd, number, leg;
};

static struct leg *legs;
static struct port *ports;
static int port_count, buckets[BUCKETS];
static uint8_t slots[BATCH][SLOT];
static struct mmsghdr in[BATCH], out[BATCH];
static struct iovec in_vector[BATCH], out_vector[BATCH];
static struct sockaddr_in from[BATCH];
static int out_fd[BATCH], queued;

static unsigned bucket(int port, const struct sockaddr_in *peer) {
  uint64_t key = (uint64_t)port << 48 | (uint64_t)peer->sin_addr.s_addr << 16 | peer->sin_port;
  return key * 0x9e3779b97f4a7c15ull >> 48;
}

static int find(int port, const struct sockaddr_in *peer) {
  for (unsigned i = bucket(port, peer); buckets[i]; i = (i + 1) % BUCKETS) {
    struct leg *l = &legs[buckets[i] - 1];
    if (l->fd == ports[port].fd && l->peer.sin_port == peer->sin_port &&
        l->peer.sin_addr.s_addr == peer->sin_addr.s_addr)
      return buckets[i] - 1;
  }
  return -1;
}

static int open_port(int number, int leg) {
  for (int i = 0; i < port_count; i++)
    if (ports[i].number == number) {
      ports[i].leg = -1;
      return i;
    }
  ports[port_count] = (struct port){bound_socket(number, 4 << 20), number, leg};
  return port_count++;
}

static void flush(void) {
  for (int i = 0; i < queued;) {
    int end = i + 1;
    while (end < queued && out_fd[end] == out_fd[i]) end++;
    while (i < end) {
      int sent = sendmmsg(out_fd[i], out + i, end - i, 0);
      i += sent > 0 ? sent : 1;
    }
  }
  queued = 0;
}

static void forward(struct leg *leg, uint8_t *packet, int length) {
  struct leg *far = &legs[leg->far];
  if (is_rtcp(packet, length)) {
    length = srtcp_unprotect(&leg->receive, packet, length);
    if (length >= 0) length = srtcp_protect(&far->send, packet, length);
  } else {
    length = srtp_unprotect(&leg->receive, packet, length);
    if (length >= 0) length = srtp_protect(&far->send, packet, length);
  }
  if (length < 0) return;
  out_vector[queued] = (struct iovec){packet, length};
  out[queued].msg_hdr = (struct msghdr){.msg_iov = &out_vector[queued],
                                        .msg_iovlen = 1,
                                        .msg_name = &far->peer,
                                        .msg_namelen = sizeof far->peer};
  out_fd[queued++] = far->fd;
}

static int drain(int port, int *used) {
  int most = ports[port].leg < 0 ? BATCH : 1;
  if (*used + most > BATCH) {
    flush();
    *used = 0;
  }
  int first = *used;
  for (int i = first; i < first + most; i++) {
    in_vector[i] = (struct iovec){slots[i], SLOT - 64};
    in[i].msg_hdr = (struct msghdr){.msg_iov = &in_vector[i],
                                    .msg_iovlen = 1,
                                    .msg_name = &from[i],
                                    .msg_namelen = sizeof from[i]};
  }
  int got = recvmmsg(ports[port].fd, in + first, most, MSG_DONTWAIT, NULL);
  for (int i = first; i < first + got; i++) {
    int leg = ports[port].leg < 0 ? find(port, &from[i]) : ports[port].leg;
    if (leg >= 0 && in[i].msg_len >= 12) forward(&legs[leg], slots[i], in[i].msg_len);
  }
  if (got > 0) *used += got;
  return got;
}

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "usage: relay TABLE\n"), 2;
  struct call *calls;
  int count = read_table(argv[1], &calls), gather = getenv("GATHER_US") ? atoi(getenv("GATHER_US")) : 500;
  legs = calloc(2 * count, sizeof *legs);
  ports = calloc(2 * count, sizeof *ports);
  for (int i = 0; i < 2 * count; i++) {
    struct side *side = &calls[i / 2].side[i & 1];
    int port = open_port(side->relay_port, i);
    legs[i] = (struct leg){.peer = loopback(side->port), .fd = ports[port].fd, .far = i ^ 1};
    srtp_set_up(&legs[i].receive, side->profile, side->to_relay);
    srtp_set_up(&legs[i].send, side->profile, side->from_relay);
    unsigned b = bucket(port, &legs[i].peer);
    while (buckets[b]) b = (b + 1) % BUCKETS;
    buckets[b] = i + 1;
  }
  int epoll = epoll_create1(0);
  for (int i = 0; i < port_count; i++) {
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(epoll, EPOLL_CTL_ADD, ports[i].fd, &e);
  }
  fprintf(stderr, "relay up: %d calls on %d ports\n", count, port_count);
  static struct epoll_event events[256];
  for (int behind = 0;;) {
    int n = epoll_wait(epoll, events, 256, 1000);
    if (n > 0 && gather > 0 && !behind) {
      usleep(gather);
      n = epoll_wait(epoll, events, 256, 0);
    }
    while (n > 0) {
      int used = 0;
      behind = 0;
      for (int i = 0; i < n; i++) behind |= drain(events[i].data.u32, &used) == BATCH;
      flush();
      n = epoll_wait(epoll, events, 256, 0);
    }
  }
}
