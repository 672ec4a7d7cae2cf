/*
 * Load for a relay: two-way RTP or SRTP of every call in a table, and a look at what comes back.
 * generate TABLE PID BYTES SECONDS [PACKETS_A_SECOND [WARM_UP_SECONDS [FIRST_SEQUENCE [GREETINGS]]]]
 * One thread. Each leg has a socket and a phase of its own within the packet interval. The delay of a
 * packet is from just before its send to the kernel's receive stamp. Of the packets received, one in 16
 * is decrypted and its body compared. CPU time is that of all threads of process PID, by schedstat.
 * FIRST_SEQUENCE lets a run go on where another one has stopped: relays refuse what they have had.
 * GREETINGS is a file with a line of hex for each leg, sent ahead of all: an ICE check, say.
 * Prints one line of JSON. cc -O2 -o generate generate.c -lcrypto
 */
#define _GNU_SOURCE
#include "process.h"
#include "srtp.h"
#include "table.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define STAMPS 1024 /* packets of a leg that can be under way; a power of two */
#define MAX_BURST 64

struct leg {
  int fd;
  struct sockaddr_in relay;
  struct srtp send, receive;
  uint32_t ssrc;
  uint16_t sequence;
  uint64_t stamps[STAMPS]; /* when sent, ns; 0: not under way */
};

static struct leg *legs;
static int leg_count;
static uint64_t sent, received, refused, checked, bad, unknown;
static uint32_t *delays;
static size_t delay_count, delay_room;

/* Body: the sender's SSRC, the low byte of the sequence number, then 0x5a. */
static void send_packet(struct leg *leg, int size) {
  uint8_t packet[2048];
  memset(packet, 0x5a, size);
  uint32_t words[3] = {htonl(0x80000000u | leg->sequence), htonl(leg->sequence * 160u), htonl(leg->ssrc)};
  memcpy(packet, words, 12);
  memcpy(packet + 12, &words[2], 4);
  packet[16] = leg->sequence;
  int length = srtp_protect(&leg->send, packet, size);
  uint64_t *stamp = &leg->stamps[leg->sequence % STAMPS];
  *stamp = clock_ns(CLOCK_REALTIME);
  if (sendto(leg->fd, packet, length, 0, (void *)&leg->relay, sizeof leg->relay) < 0) {
    refused++;
    *stamp = 0;
  }
  leg->sequence++;
  sent++;
}

static void check(struct leg *leg, struct leg *source, uint8_t *packet, int length) {
  checked++;
  uint32_t ssrc = htonl(source->ssrc);
  int sequence = packet[2] << 8 | packet[3];
  length = srtp_unprotect(&leg->receive, packet, length);
  if (length < 18 || memcmp(packet + 12, &ssrc, 4) || packet[16] != (sequence & 255) ||
      packet[length - 1] != 0x5a)
    bad++;
}

static void take(struct leg *leg, struct leg *source) {
  uint8_t packet[2048], control[128];
  struct iovec vector = {packet, sizeof packet};
  for (int i = 0; i < 4; i++) {
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    int length = recvmsg(leg->fd, &message, MSG_DONTWAIT);
    if (length < 0) return;
    /* STUN, DTLS and RTCP are not ours (RFC 7983, RFC 5761). */
    if (length < 12 || packet[0] >> 6 != 2 || (packet[1] >= 192 && packet[1] < 224)) continue;
    uint64_t at = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
      if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
        struct timespec *t = (void *)CMSG_DATA(c);
        at = t->tv_sec * 1000000000ull + t->tv_nsec;
      }
    uint64_t *stamp = &source->stamps[(packet[2] << 8 | packet[3]) % STAMPS];
    if (!*stamp) {
      unknown++;
      continue;
    }
    uint64_t delay = at > *stamp ? at - *stamp : 0;
    *stamp = 0;
    received++;
    if (delay_count < delay_room) delays[delay_count++] = delay > UINT32_MAX ? UINT32_MAX : delay;
    if ((packet[3] & 15) == 0) check(leg, source, packet, length);
  }
}

static void drain(int epoll, int64_t wait_ns) {
  static struct epoll_event events[256];
  struct timespec wait = {0, wait_ns};
  int n = epoll_pwait2(epoll, events, 256, &wait, NULL);
  if (n < 0 && errno == ENOSYS) n = epoll_wait(epoll, events, 256, wait_ns / 1000000);
  for (int i = 0; i < n; i++) take(&legs[events[i].data.u32], &legs[events[i].data.u32 ^ 1]);
}

static int ascending(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static double percentile(double p) {
  return delay_count ? delays[(size_t)((delay_count - 1) * p)] / 1e6 : 0;
}

/* What comes back is passed over by `take`. */
static void greet(const char *name) {
  FILE *file = fopen(name, "r");
  char line[4096];
  uint8_t bytes[2048];
  if (!file) perror(name), exit(1);
  for (int i = 0; i < leg_count && fgets(line, sizeof line, file); i++) {
    from_hex(line, bytes);
    sendto(legs[i].fd, bytes, strcspn(line, "\r\n") / 2, 0, (void *)&legs[i].relay, sizeof legs[i].relay);
    if (i % 20 == 19) usleep(1000);
  }
  fclose(file);
}

static int open_legs(const char *table, int first_sequence) {
  struct call *calls;
  int count = read_table(table, &calls), epoll = epoll_create1(0), one = 1;
  leg_count = 2 * count;
  legs = calloc(leg_count, sizeof *legs);
  for (int i = 0; i < leg_count; i++) {
    struct side *side = &calls[i / 2].side[i & 1];
    struct leg *leg = &legs[i];
    leg->fd = bound_socket(side->port, 1 << 20);
    setsockopt(leg->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
    leg->relay = loopback(side->relay_port);
    leg->ssrc = 0x10000 + i;
    leg->sequence = first_sequence;
    srtp_set_up(&leg->send, side->profile, side->to_relay);
    srtp_set_up(&leg->receive, side->profile, side->from_relay);
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(epoll, EPOLL_CTL_ADD, leg->fd, &e);
  }
  return epoll;
}

int main(int argc, char **argv) {
  if (argc < 5)
    return fprintf(stderr, "usage: generate TABLE PID BYTES SECONDS [RATE [WARM_UP [FIRST [GREETINGS]]]]\n"), 2;
  int pid = atoi(argv[2]), size = atoi(argv[3]);
  double seconds = atof(argv[4]), rate = argc > 5 ? atof(argv[5]) : 50, warm = argc > 6 ? atof(argv[6]) : 1;
  int first = argc > 7 ? atoi(argv[7]) : 1;
  if (first < 0 || first + (seconds + warm) * rate > 65000) return fprintf(stderr, "FIRST is too high\n"), 2;
  if (size < 18 || size > 1400) return fprintf(stderr, "BYTES is 18 to 1400\n"), 2;
  prctl(PR_SET_TIMERSLACK, 1000);
  int epoll = open_legs(argv[1], first);
  if (argc > 8) greet(argv[8]);
  /* The order of the legs within an interval is shuffled, so that calls have phases of their own. */
  int *order = malloc(leg_count * sizeof *order);
  for (int i = 0; i < leg_count; i++) order[i] = i;
  srand(7);
  for (int i = leg_count - 1; i > 0; i--) {
    int j = rand() % (i + 1), t = order[i];
    order[i] = order[j];
    order[j] = t;
  }
  delay_room = seconds * rate * leg_count * 1.1 + 1000;
  delays = malloc(delay_room * sizeof *delays);
  double gap = 1e9 / rate / leg_count;
  uint64_t total = (seconds + warm) * 1e9 / gap, warm_up = warm * 1e9 / gap;
  uint64_t start = clock_ns(CLOCK_MONOTONIC), measured = 0, relay_cpu = 0, own_cpu = 0;
  for (uint64_t k = 0; k < total;) {
    uint64_t now = clock_ns(CLOCK_MONOTONIC) - start;
    for (int burst = 0; burst < MAX_BURST && k < total && k * gap <= now; burst++, k++) {
      if (k == warm_up) {
        drain(epoll, 0);
        for (int i = 0; i < leg_count; i++) memset(legs[i].stamps, 0, sizeof legs[i].stamps);
        sent = received = refused = checked = bad = unknown = delay_count = 0;
        relay_cpu = cpu_ns(pid);
        own_cpu = cpu_ns(getpid());
        measured = clock_ns(CLOCK_MONOTONIC);
      }
      send_packet(&legs[order[k % leg_count]], size);
    }
    int64_t left = (int64_t)(k * gap) - (int64_t)(clock_ns(CLOCK_MONOTONIC) - start);
    drain(epoll, left < 0 ? 0 : left < 100000 ? 100000 : left > 1000000 ? 1000000 : left);
  }
  double wall = (clock_ns(CLOCK_MONOTONIC) - measured) / 1e9;
  relay_cpu = cpu_ns(pid) - relay_cpu;
  own_cpu = cpu_ns(getpid()) - own_cpu;
  for (int i = 0; i < 300; i++) drain(epoll, 1000000);
  qsort(delays, delay_count, sizeof *delays, ascending);
  printf("{\"calls\":%d,\"bytes\":%d,\"perSecond\":%.0f,\"sent\":%lu,\"received\":%lu,\"refused\":%lu,"
         "\"checked\":%lu,\"bad\":%lu,\"unknown\":%lu,\"cpuPercent\":%.1f,\"microseconds\":%.3f,"
         "\"residentMb\":%.1f,\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f,\"generatorPercent\":%.0f}\n",
         leg_count / 2, size, sent / wall, sent, received, refused, checked, bad, unknown,
         relay_cpu / wall / 1e7, received ? relay_cpu / 1e3 / received : 0.0,
         resident_kb(pid) / 1024.0, percentile(.5), percentile(.99), percentile(1),
         own_cpu / wall / 1e7);
  return bad > 0;
}
