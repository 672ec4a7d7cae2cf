/*
 * Load for a transcoder: RTP in the clear with real frames, 50 a second each way of every call.
 * frames TABLE PID SECONDS FRAMES_A FRAMES_B [WARM_UP_SECONDS [FIRST_SEQUENCE [SAMPLES]]]
 * A file of frames has the payload type and the timestamp step of 20 ms in its first line, then a frame in
 * hex a line; they are sent over and over, each call beginning elsewhere. CPU time is that of all threads
 * of process PID. Prints one line of JSON; `payloadA` is the mean length of
 * what side A gets. SAMPLES is a file for what some calls get: side (0 is A), call, sequence number, hex.
 * cc -O2 -o frames frames.c -lcrypto
 */
#define _GNU_SOURCE
#include "table.h"
#include "process.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define MAX_FRAMES 2000
#define MAX_LENGTH 512
#define RATE 50

struct frames {
  int payload_type, step, count;
  int length[MAX_FRAMES];
  uint8_t bytes[MAX_FRAMES][MAX_LENGTH];
};
struct leg {
  int fd, at;
  struct sockaddr_in relay;
  uint32_t ssrc, timestamp;
  uint16_t sequence;
};

static struct frames kinds[2];
static struct leg *legs;
static int leg_count;
static uint64_t sent, received[2], octets[2], foreign;
static FILE *samples;

static void read_frames(const char *name, struct frames *f) {
  static char line[4 * MAX_LENGTH];
  FILE *file = fopen(name, "r");
  if (!file || !fgets(line, sizeof line, file) || sscanf(line, "%d %d", &f->payload_type, &f->step) != 2) {
    fprintf(stderr, "%s has no frames\n", name);
    exit(1);
  }
  while (f->count < MAX_FRAMES && fgets(line, sizeof line, file)) {
    int length = strcspn(line, "\r\n") / 2;
    if (length > MAX_LENGTH) continue;
    from_hex(line, f->bytes[f->count]);
    f->length[f->count++] = length;
  }
  fclose(file);
}

static void send_frame(struct leg *leg, struct frames *f) {
  uint8_t packet[12 + MAX_LENGTH] = {0x80};
  uint16_t sequence = htons(leg->sequence++);
  uint32_t words[2] = {htonl(leg->timestamp), htonl(leg->ssrc)};
  packet[1] = f->payload_type;
  memcpy(packet + 2, &sequence, 2);
  memcpy(packet + 4, words, 8);
  int frame = leg->at++ % f->count;
  memcpy(packet + 12, f->bytes[frame], f->length[frame]);
  leg->timestamp += f->step;
  sendto(leg->fd, packet, 12 + f->length[frame], 0, (void *)&leg->relay, sizeof leg->relay);
  sent++;
}

static int is_sampled(int call) {
  int calls = leg_count / 2;
  return call == 0 || call == calls / 2 || call == calls - 1;
}

static void sample(int index, const uint8_t *packet, int length) {
  fprintf(samples, "%d %d %d ", index & 1, index / 2, packet[2] << 8 | packet[3]);
  for (int i = 12; i < length; i++) fprintf(samples, "%02x", packet[i]);
  fputc('\n', samples);
}

static void take(int index) {
  uint8_t packet[2048];
  for (int i = 0; i < 4; i++) {
    int length = recv(legs[index].fd, packet, sizeof packet, MSG_DONTWAIT), side = index & 1;
    if (length < 0) return;
    if (length < 12 || packet[0] >> 6 != 2 || (packet[1] >= 192 && packet[1] < 224)) continue;
    if ((packet[1] & 127) != kinds[side].payload_type) {
      foreign++;
      continue;
    }
    received[side]++;
    octets[side] += length - 12;
    if (samples && is_sampled(index / 2)) sample(index, packet, length);
  }
}

static void drain(int epoll, int wait_ms) {
  static struct epoll_event events[256];
  int n = epoll_wait(epoll, events, 256, wait_ms);
  for (int i = 0; i < n; i++) take(events[i].data.u32);
}

int main(int argc, char **argv) {
  if (argc < 6)
    return fprintf(stderr, "usage: frames TABLE PID SECONDS FRAMES_A FRAMES_B [WARM_UP [FIRST [SAMPLES]]]\n"), 2;
  int pid = atoi(argv[2]), first = argc > 7 ? atoi(argv[7]) : 1;
  double seconds = atof(argv[3]), warm = argc > 6 ? atof(argv[6]) : 2;
  read_frames(argv[4], &kinds[0]);
  read_frames(argv[5], &kinds[1]);
  FILE *file = argc > 8 ? fopen(argv[8], "w") : NULL;
  prctl(PR_SET_TIMERSLACK, 1000);
  struct call *calls;
  leg_count = 2 * read_table(argv[1], &calls);
  legs = calloc(leg_count, sizeof *legs);
  int epoll = epoll_create1(0);
  for (int i = 0; i < leg_count; i++) {
    struct side *side = &calls[i / 2].side[i & 1];
    legs[i] = (struct leg){.fd = bound_socket(side->port, 1 << 18),
                           .at = 37 * i + first,
                           .relay = loopback(side->relay_port),
                           .ssrc = 0x20000 + i,
                           .timestamp = (uint32_t)first * kinds[i & 1].step,
                           .sequence = first};
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(epoll, EPOLL_CTL_ADD, legs[i].fd, &e);
  }
  /* Both sides of a call in turn, calls spread over the 20 ms. */
  double gap = 1e9 / RATE / leg_count;
  uint64_t total = (seconds + warm) * 1e9 / gap, warm_up = warm * 1e9 / gap;
  uint64_t start = clock_ns(CLOCK_MONOTONIC), measured = start, cpu = 0;
  for (uint64_t k = 0; k < total;) {
    uint64_t now = clock_ns(CLOCK_MONOTONIC) - start;
    for (int burst = 0; burst < 64 && k < total && k * gap <= now; burst++, k++) {
      if (k == warm_up) {
        sent = received[0] = received[1] = octets[0] = octets[1] = foreign = 0;
        samples = file;
        cpu = cpu_ns(pid);
        measured = clock_ns(CLOCK_MONOTONIC);
      }
      send_frame(&legs[k % leg_count], &kinds[k % leg_count & 1]);
    }
    drain(epoll, 1);
  }
  double wall = (clock_ns(CLOCK_MONOTONIC) - measured) / 1e9;
  cpu = cpu_ns(pid) - cpu;
  if (file) fclose(file);
  printf("{\"calls\":%d,\"sent\":%lu,\"received\":%lu,\"foreign\":%lu,\"cpuPercent\":%.1f,\"wall\":%.3f,"
         "\"payloadA\":%.1f,\"payloadB\":%.1f,\"residentMb\":%.1f}\n",
         leg_count / 2, sent, received[0] + received[1], foreign, cpu / wall / 1e7, wall,
         received[0] ? (double)octets[0] / received[0] : 0, received[1] ? (double)octets[1] / received[1] : 0,
         resident_kb(pid) / 1024.0);
  return 0;
}
