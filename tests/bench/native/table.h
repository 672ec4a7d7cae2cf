/* The call table: its columns are told in ../relay/table.ts. Everything is on 127.0.0.1. */
#ifndef PORTZERO_TABLE_H
#define PORTZERO_TABLE_H
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

struct side {
  int port, relay_port, profile;
  uint8_t to_relay[64], from_relay[64]; /* master key and salt */
};
struct call {
  struct side side[2];
};

static void from_hex(const char *hex, uint8_t *out) {
  for (unsigned byte; hex[0] && hex[1] && sscanf(hex, "%2x", &byte) == 1; hex += 2) *out++ = byte;
}

static int read_table(const char *name, struct call **calls) {
  FILE *file = fopen(name, "r");
  if (!file) {
    perror(name);
    exit(1);
  }
  int count = 0;
  char key[4][129];
  *calls = NULL;
  for (struct call c;; count++) {
    memset(&c, 0, sizeof c);
    struct side *a = &c.side[0], *b = &c.side[1];
    if (fscanf(file, "%d %d %d %d %d %128s %128s %d %128s %128s", &a->port, &a->relay_port, &b->port,
               &b->relay_port, &a->profile, key[0], key[1], &b->profile, key[2], key[3]) != 10)
      break;
    from_hex(key[0], a->to_relay);
    from_hex(key[1], a->from_relay);
    from_hex(key[2], b->to_relay);
    from_hex(key[3], b->from_relay);
    *calls = realloc(*calls, (count + 1) * sizeof c);
    (*calls)[count] = c;
  }
  fclose(file);
  struct rlimit files = {65536, 65536};
  if (setrlimit(RLIMIT_NOFILE, &files)) {
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  return count;
}

static struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){.sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int bound_socket(int port, int buffer) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in at = loopback(port);
  if (fd < 0 || bind(fd, (void *)&at, sizeof at)) {
    fprintf(stderr, "UDP port %d: ", port);
    perror("");
    exit(1);
  }
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  return fd;
}
#endif
