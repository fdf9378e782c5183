// stall DIR: sends requests to a file system without pause until SIGTERM, and prints how long they took, in microseconds:
// the longest call and the 99.9th percentile of each kind. Each goes to the daemon: names that do not exist and files that are new.
// Build: cc -O2 -o stall stall.c
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { KINDS = 4, CALLS_MAX = 4000000 };
static const char *names[KINDS] = {"stat", "create", "write", "unlink"};
static float *taken[KINDS];
static int counts[KINDS];
static volatile sig_atomic_t over;

static void stop(int signal) { (void)signal; over = 1; }
static double now_us(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e6 + t.tv_nsec / 1e3; }
static void note(int kind, double from) { if (counts[kind] < CALLS_MAX) taken[kind][counts[kind]++] = now_us() - from; }
static void die(const char *what) { fprintf(stderr, "stall: %s: %s\n", what, strerror(errno)); exit(1); }
static int ascending(const void *a, const void *b) { float x = *(const float *)a, y = *(const float *)b; return (x > y) - (x < y); }

int main(int count, char **arguments) {
  if (count != 2) return 2;
  for (int kind = 0; kind < KINDS; kind++) if (!(taken[kind] = malloc(CALLS_MAX * sizeof(float)))) die("malloc");
  signal(SIGTERM, stop);
  char path[4096], bytes[4096];
  memset(bytes, 'x', sizeof bytes);
  for (int i = 0; !over; i++) {
    struct stat s;
    double from;
    snprintf(path, sizeof path, "%s/missing%d", arguments[1], i);
    from = now_us();
    if (!stat(path, &s) || errno != ENOENT) die(path);
    note(0, from);
    snprintf(path, sizeof path, "%s/stall%d", arguments[1], i);
    from = now_us();
    int file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
    if (file < 0) die(path);
    note(1, from);
    from = now_us();
    if (write(file, bytes, sizeof bytes) != sizeof bytes || close(file)) die("write");
    note(2, from);
    from = now_us();
    if (unlink(path)) die(path);
    note(3, from);
    usleep(500);
  }
  for (int kind = 0; kind < KINDS; kind++) {
    int n = counts[kind];
    qsort(taken[kind], n, sizeof(float), ascending);
    printf("%s %d %.0f %.0f\n", names[kind], n, n ? taken[kind][(int)(n * 0.999)] : 0, n ? taken[kind][n - 1] : 0);
  }
  return 0;
}
