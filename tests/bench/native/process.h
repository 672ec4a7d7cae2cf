/* Clocks, and what /proc tells of a process. */
#ifndef PORTZERO_PROCESS_H
#define PORTZERO_PROCESS_H
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

static uint64_t clock_ns(clockid_t which) {
  struct timespec t;
  clock_gettime(which, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static uint64_t cpu_ns(int pid) {
  char path[300];
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *tasks = opendir(path);
  if (!tasks) return 0;
  uint64_t sum = 0;
  for (struct dirent *task; (task = readdir(tasks));) {
    if (task->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, task->d_name);
    FILE *file = fopen(path, "r");
    unsigned long long ns;
    if (file && fscanf(file, "%llu", &ns) == 1) sum += ns;
    if (file) fclose(file);
  }
  closedir(tasks);
  return sum;
}

static long resident_kb(int pid) {
  char text[300];
  snprintf(text, sizeof text, "/proc/%d/status", pid);
  FILE *file = fopen(text, "r");
  long kb = 0;
  while (file && fgets(text, sizeof text, file))
    if (sscanf(text, "VmRSS: %ld", &kb) == 1) break;
  if (file) fclose(file);
  return kb;
}
#endif
