// fsread write DIR N MIB SEED: makes, or rewrites, N files of 4 KiB in 100 directories and a big file of MIB MiB in DIR.
// fsread read DIR N MIB: fsbench's read rows over such a tree, wherever it is shown; prints "name ops/s" lines.
// Build: cc -O2 -o fsread fsread.c. Cold rows need root, to drop the kernel's caches.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIRECTORIES 100
#define MIB (1 << 20)

static const char *base;
static char path[4096], buffer[MIB];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what) {
  fprintf(stderr, "fsread: %s: %s\n", what, strerror(errno));
  exit(1);
}

static const char *directory(int i) {
  snprintf(path, sizeof path, "%s/d%02d", base, i % DIRECTORIES);
  return path;
}

static const char *file(int i) {
  snprintf(path, sizeof path, "%s/d%02d/f%d", base, i % DIRECTORIES, i);
  return path;
}

static const char *big(void) {
  snprintf(path, sizeof path, "%s/big", base);
  return path;
}

// "2": names and inodes, "3": data as well.
static void drop(const char *what) {
  int f = open("/proc/sys/vm/drop_caches", O_WRONLY);
  if (f < 0) return;
  if (write(f, what, 1) < 0) die("drop_caches");
  close(f);
}

static void rate(const char *name, double count, double began) {
  printf("%-16s %12.1f\n", name, count / (now() - began));
  fflush(stdout);
}

static void writeTree(int files, int mib, unsigned long long seed) {
  for (int i = 0; i < DIRECTORIES; i++)
    if (mkdir(directory(i), 0755) && errno != EEXIST) die(path);
  for (int i = 0; i < files; i++) {
    int f = open(file(i), O_CREAT | O_WRONLY | O_TRUNC, 0644);
    memset(buffer, 'x', 4096);
    sprintf(buffer, "file %d of %llu", i, seed);
    if (f < 0 || write(f, buffer, 4096) != 4096 || close(f)) die(path);
  }
  int f = open(big(), O_CREAT | O_WRONLY | O_TRUNC, 0644);
  if (f < 0) die(path);
  // xorshift: nothing that could be compressed.
  unsigned long long x = 88172645463325252ull ^ (seed << 32);
  for (int i = 0; i < mib; i++) {
    for (int at = 0; at < MIB; at += 8) {
      x ^= x << 13, x ^= x >> 7, x ^= x << 17;
      memcpy(buffer + at, &x, 8);
    }
    if (write(f, buffer, MIB) != MIB) die(path);
  }
  if (fsync(f) || close(f)) die(path);
}

static void statAll(const char *name, int files) {
  struct stat s;
  double began = now();
  for (int i = 0; i < files; i++)
    if (stat(file(i), &s)) die(path);
  rate(name, files, began);
}

static void readAll(const char *name, int files) {
  double began = now();
  for (int i = 0; i < files; i++) {
    int f = open(file(i), O_RDONLY);
    if (f < 0 || read(f, buffer, 4096) != 4096) die(path);
    close(f);
  }
  rate(name, files, began);
}

static void list(const char *name) {
  struct stat s;
  long entries = 0;
  double began = now();
  for (int i = 0; i < DIRECTORIES; i++) {
    DIR *d = opendir(directory(i));
    if (!d) die(path);
    for (struct dirent *e; (e = readdir(d));) {
      if (e->d_name[0] == '.') continue;
      if (fstatat(dirfd(d), e->d_name, &s, AT_SYMLINK_NOFOLLOW)) die(e->d_name);
      entries++;
    }
    closedir(d);
  }
  rate(name, entries, began);
}

static void readBig(int mib) {
  drop("3");
  int f = open(big(), O_RDONLY);
  if (f < 0) die(path);
  double began = now();
  for (int i = 0; i < mib; i++)
    if (read(f, buffer, MIB) != MIB) die(path);
  rate("read_seq_cold", mib, began);
  drop("3");
  srand(1);
  began = now();
  for (int i = 0; i < 2000; i++)
    if (pread(f, buffer, 4096, (off_t)(rand() % (mib * 256)) * 4096) != 4096) die("pread");
  rate("rand_read4k", 2000, began);
  close(f);
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  base = argv[2];
  int files = atoi(argv[3]), mib = atoi(argv[4]);
  if (argc > 5) {
    writeTree(files, mib, strtoull(argv[5], NULL, 10));
    return 0;
  }
  sync();
  drop("2");
  statAll("stat_cold", files);
  statAll("stat_warm", files);
  drop("3");
  readAll("read4k_cold", files);
  readAll("read4k_warm", files);
  drop("2");
  list("ls_l");
  readBig(mib);
  return 0;
}
