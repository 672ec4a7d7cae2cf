/*
 * Load for a relay: two-way RTP or SRTP of every call in a table, and a look at what comes back.
 * generate TABLE PID BYTES SECONDS [PACKETS_A_SECOND [WARM_UP [FIRST_SEQUENCE [FRAME [GREETINGS]]]]]
 * One thread. Each leg has a socket and a phase of its own within the packet interval. The delay of a
 * packet is from just before its send to the kernel's receive stamp. Of the packets received, one in 16
 * is decrypted and its body compared. Each leg sends RTCP every 5 s, spread over time; what comes back is
 * counted, and one in 4 decrypted and looked at. With a FRAME above 1 the packets are video of payload type
 * 96, so many at once, the last one with the marker; else audio of payload type 0. CPU time is that of all
 * threads of process PID, by schedstat.
 * FIRST_SEQUENCE lets a run go on where another one has stopped: relays refuse what they have had.
 * GREETINGS is a file with a line of hex for each leg, sent ahead of all: an ICE check, say.
 * Prints one line of JSON. cc -O2 -o generate generate.c -lcrypto
 */
#define _GNU_SOURCE
#include "process.h"
#include "rtcp.h"
#include "srtp.h"
#include "table.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define STAMPS 1024 /* packets of a leg that can be under way; a power of two */
#define MAX_BURST 64
#define VIDEO 96
/* Every leg sends a report so often, s. */
#define REPORT_INTERVAL 5

/* Of what is sent, and of what was heard of the other side's stream; 0 where there was none. */
struct reported {
  uint32_t ssrc, timestamp, packets, octets;
  uint32_t heard_ssrc, heard_highest;
};

struct leg {
  int fd;
  struct sockaddr_in relay;
  struct srtp send, receive;
  struct reported reported;
  uint32_t ssrc, control; /* RTCP packets received */
  uint16_t sequence;
  uint64_t stamps[STAMPS]; /* when sent, ns; 0: not under way */
};

static struct leg *legs;
static int leg_count, frame = 1;
static uint64_t sent, received, refused, checked, bad, unknown, rtcp_sent, rtcp_received, rtcp_checked;
static uint32_t *delays;
static size_t delay_count, delay_room;

/* Body: the sender's SSRC, the low byte of the sequence number, then 0x5a. */
static void send_packet(struct leg *leg, int size) {
  uint8_t packet[2048];
  memset(packet, 0x5a, size);
  int place = leg->reported.packets % frame;
  uint32_t kind = frame == 1 ? 0 : place == frame - 1 ? VIDEO | 0x80 : VIDEO;
  uint32_t timestamp = frame == 1 ? leg->sequence * 160u : (leg->sequence - place) * 1800u;
  uint32_t words[3] = {htonl(0x80000000u | kind << 16 | leg->sequence), htonl(timestamp), htonl(leg->ssrc)};
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
  leg->reported.timestamp = timestamp;
  leg->reported.packets++;
  leg->reported.octets += size - 12;
  leg->sequence++;
  sent++;
}

/* A sender report with a block on what is heard, and a name (RFC 3550 6.1, 6.4.1, 6.5). */
static int write_report(uint8_t *p, const struct reported *r) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  int blocks = r->heard_ssrc != 0, words = 7 + 6 * blocks;
  uint32_t report[13] = {
      0x80000000u | blocks << 24 | SENDER_REPORT << 16 | (words - 1),
      r->ssrc,
      now.tv_sec + 2208988800u, /* since 1900 */
      (uint32_t)(((uint64_t)now.tv_nsec << 32) / 1000000000u),
      r->timestamp,
      r->packets,
      r->octets,
      r->heard_ssrc,
      0,
      r->heard_highest,
      0,
      0,
      0,
  };
  for (int i = 0; i < words; i++) report[i] = htonl(report[i]);
  memcpy(p, report, 4 * words);
  uint8_t *d = p + 4 * words;
  char name[17];
  snprintf(name, sizeof name, "leg-%08x", r->ssrc);
  uint32_t head[2] = {htonl(0x81000000u | SOURCE_DESCRIPTION << 16 | 5), htonl(r->ssrc)};
  memset(d, 0, 24);
  memcpy(d, head, 8);
  d[8] = 1; /* CNAME */
  d[9] = strlen(name);
  memcpy(d + 10, name, strlen(name));
  return 4 * words + 24;
}

static void send_report(struct leg *leg) {
  uint8_t packet[256];
  int length = srtcp_protect(&leg->send, packet, write_report(packet, &leg->reported));
  if (sendto(leg->fd, packet, length, 0, (void *)&leg->relay, sizeof leg->relay) < 0) refused++;
  rtcp_sent++;
}

/* Whole parts of version 2: a report first and a name among them, or feedback alone (RFC 5506). */
static int is_control(const uint8_t *p, int length) {
  int feedback = p[1] == TRANSPORT_FEEDBACK || p[1] == PAYLOAD_FEEDBACK, named = feedback, at = 0;
  if (length < 8 || (!feedback && p[1] != SENDER_REPORT && p[1] != RECEIVER_REPORT)) return 0;
  while (at + 4 <= length) {
    if (p[at] >> 6 != 2) return 0;
    named |= p[at + 1] == SOURCE_DESCRIPTION;
    at += 4 + 4 * (p[at + 2] << 8 | p[at + 3]);
  }
  return named && at == length;
}

static void take_report(struct leg *leg, uint8_t *packet, int length) {
  rtcp_received++;
  if (leg->control++ % 4) return;
  rtcp_checked++;
  length = srtcp_unprotect(&leg->receive, packet, length);
  if (!is_control(packet, length)) bad++;
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
    /* STUN and DTLS are not ours (RFC 7983). */
    if (length < 12 || packet[0] >> 6 != 2) continue;
    if (is_rtcp(packet, length)) {
      take_report(leg, packet, length);
      continue;
    }
    memcpy(&leg->reported.heard_ssrc, packet + 8, 4);
    leg->reported.heard_ssrc = ntohl(leg->reported.heard_ssrc);
    leg->reported.heard_highest = packet[2] << 8 | packet[3];
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
    leg->ssrc = leg->reported.ssrc = 0x10000 + i;
    leg->sequence = first_sequence;
    srtp_set_up(&leg->send, side->profile, side->to_relay);
    srtp_set_up(&leg->receive, side->profile, side->from_relay);
    leg->send.rtcp_index = first_sequence;
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(epoll, EPOLL_CTL_ADD, leg->fd, &e);
  }
  return epoll;
}

int main(int argc, char **argv) {
  if (argc < 5)
    return fprintf(stderr, "usage: generate TABLE PID BYTES SECONDS [RATE [WARM_UP [FIRST [FRAME [GREETINGS]]]]]\n"), 2;
  int pid = atoi(argv[2]), size = atoi(argv[3]);
  double seconds = atof(argv[4]), rate = argc > 5 ? atof(argv[5]) : 50, warm = argc > 6 ? atof(argv[6]) : 1;
  int first = argc > 7 ? atoi(argv[7]) : 1;
  if (first < 0 || first + (seconds + warm) * rate > 65000) return fprintf(stderr, "FIRST is too high\n"), 2;
  if (size < 18 || size > 1400) return fprintf(stderr, "BYTES is 18 to 1400\n"), 2;
  frame = argc > 8 ? atoi(argv[8]) : 1;
  if (frame < 1 || frame > 16) return fprintf(stderr, "FRAME is 1 to 16\n"), 2;
  prctl(PR_SET_TIMERSLACK, 1000);
  int epoll = open_legs(argv[1], first);
  if (argc > 9) greet(argv[9]);
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
  uint64_t start = clock_ns(CLOCK_MONOTONIC), measured = 0, relay_cpu = 0, own_cpu = 0, reports = 0;
  double report_gap = 1e9 * REPORT_INTERVAL / leg_count;
  /* Short runs that follow one another let all legs have their turn. */
  uint64_t first_report = first / rate / REPORT_INTERVAL * leg_count;
  for (uint64_t k = 0; k < total;) {
    uint64_t now = clock_ns(CLOCK_MONOTONIC) - start;
    for (int burst = 0; burst < MAX_BURST && k < total && k * gap <= now; burst++, k++) {
      if (k == warm_up) {
        drain(epoll, 0);
        for (int i = 0; i < leg_count; i++) memset(legs[i].stamps, 0, sizeof legs[i].stamps);
        sent = received = refused = checked = bad = unknown = delay_count = 0;
        rtcp_sent = rtcp_received = rtcp_checked = 0;
        relay_cpu = cpu_ns(pid);
        own_cpu = cpu_ns(getpid());
        measured = clock_ns(CLOCK_MONOTONIC);
      }
      send_packet(&legs[order[k / frame % leg_count]], size);
    }
    for (; reports * report_gap <= now && k < total; reports++)
      send_report(&legs[order[(first_report + reports) % leg_count]]);
    int64_t left = (int64_t)(k * gap) - (int64_t)(clock_ns(CLOCK_MONOTONIC) - start);
    drain(epoll, left < 0 ? 0 : left < 100000 ? 100000 : left > 1000000 ? 1000000 : left);
  }
  double wall = (clock_ns(CLOCK_MONOTONIC) - measured) / 1e9;
  relay_cpu = cpu_ns(pid) - relay_cpu;
  own_cpu = cpu_ns(getpid()) - own_cpu;
  for (int i = 0; i < 300; i++) drain(epoll, 1000000);
  qsort(delays, delay_count, sizeof *delays, ascending);
  printf("{\"calls\":%d,\"bytes\":%d,\"perSecond\":%.0f,\"sent\":%lu,\"received\":%lu,\"refused\":%lu,"
         "\"checked\":%lu,\"bad\":%lu,\"unknown\":%lu,\"rtcpSent\":%lu,"
         "\"rtcpReceived\":%lu,\"rtcpChecked\":%lu,\"cpuPercent\":%.1f,\"microseconds\":%.3f,"
         "\"residentMb\":%.1f,\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f,\"generatorPercent\":%.0f}\n",
         leg_count / 2, size, sent / wall, sent, received, refused, checked, bad, unknown,
         rtcp_sent, rtcp_received, rtcp_checked,
         relay_cpu / wall / 1e7, received ? relay_cpu / 1e3 / received : 0.0,
         resident_kb(pid) / 1024.0, percentile(.5), percentile(.99), percentile(1),
         own_cpu / wall / 1e7);
  return bad > 0;
}
