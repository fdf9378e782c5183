// Steps on the process itself: who it is, waiting, locks, inotify, and work that goes on beside the other steps.
#include "syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const flag flock_modes[] = {
    {"shared", LOCK_SH | LOCK_NB}, {"exclusive", LOCK_EX | LOCK_NB}, {"none", LOCK_UN}, {NULL, 0}};
static const flag lock_types[] = {{"read", F_RDLCK}, {"write", F_WRLCK}, {"none", F_UNLCK}, {NULL, 0}};
static const flag event_names[] = {
    {"access", IN_ACCESS},          {"attrib", IN_ATTRIB},         {"close_write", IN_CLOSE_WRITE},
    {"close", IN_CLOSE_NOWRITE},    {"create", IN_CREATE},         {"delete", IN_DELETE},
    {"delete_self", IN_DELETE_SELF}, {"modify", IN_MODIFY},        {"moved_from", IN_MOVED_FROM},
    {"moved_to", IN_MOVED_TO},      {"open", IN_OPEN},             {NULL, 0}};

// as UID GID [GROUP]: becomes that user for good, without any capability.
static result do_as(word *w, int count) {
  gid_t group = count > 2 ? (gid_t)number(w[2]) : 0;
  gid_t gid = (gid_t)number(w[1]);
  uid_t uid = (uid_t)number(w[0]);
  if (setgroups(count > 2 ? 1 : 0, &group) != 0) return -errno;
  if (setresgid(gid, gid, gid) != 0) return -errno;
  return checked(setresuid(uid, uid, uid));
}
static result do_umask(word *w, int count) {
  (void)count;
  umask((mode_t)octal(w[0]));
  return 0;
}
static result do_sleep(word *w, int count) {
  (void)count;
  usleep((useconds_t)number(w[0]) * 1000);
  return 0;
}
// drop_caches WHAT: 1 pages, 2 names and inodes, 3 both; what is dirty is written first.
static result do_drop_caches(word *w, int count) {
  (void)count;
  sync();
  int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
  if (fd < 0) return -errno;
  result r = checked(write(fd, w[0].text, w[0].length));
  close(fd);
  return r < 0 ? r : 0;
}
// fork: a child runs the steps that follow, this process none of them.
static result do_fork(word *w, int count) {
  (void)w, (void)count;
  fflush(stdout);
  pid_t child = fork();
  if (child < 0) return -errno;
  if (child > 0) {
    while (wait(NULL) > 0) {
    }
    exit(0);
  }
  return 0;
}
// flock N MODE: never waits.
static result do_flock(word *w, int count) {
  (void)count;
  return checked(flock(slot(w[0]), flags(w[1], flock_modes)));
}
static struct flock range_of(word *w) {
  return (struct flock){.l_type = (short)flags(w[1], lock_types),
                        .l_whence = SEEK_SET,
                        .l_start = number(w[2]),
                        .l_len = number(w[3])};
}
// setlk N TYPE START LENGTH: a lock of this process; ofdlk: a lock of the open file. Neither waits.
static result do_setlk(word *w, int count) {
  (void)count;
  struct flock range = range_of(w);
  return checked(fcntl(slot(w[0]), F_SETLK, &range));
}
static result do_ofdlk(word *w, int count) {
  (void)count;
  struct flock range = range_of(w);
  return checked(fcntl(slot(w[0]), F_OFD_SETLK, &range));
}
// getlk N TYPE START LENGTH: prints 'TYPE START LENGTH parent|other' of the lock in the way, or 'free'.
static result do_getlk(word *w, int count) {
  (void)count;
  struct flock range = range_of(w);
  if (fcntl(slot(w[0]), F_GETLK, &range) != 0) return -errno;
  if (range.l_type == F_UNLCK) fputs("free", stdout);
  else
    printf("%s %lld %lld %s", range.l_type == F_RDLCK ? "read" : "write", (long long)range.l_start,
           (long long)range.l_len, range.l_pid == getppid() ? "parent" : "other");
  return PRINTED;
}
// watch PATH: an inotify descriptor; events N: what it has seen by now, 'create:f modify:f', '-' for nothing.
static result do_watch(word *w, int count) {
  (void)count;
  int fd = inotify_init1(IN_NONBLOCK);
  if (fd < 0) return -errno;
  if (inotify_add_watch(fd, w[0].text, IN_ALL_EVENTS) < 0) return -errno;
  return keep(fd);
}
static result do_events(word *w, int count) {
  (void)count;
  static char events[1 << 16] __attribute__((aligned(8)));
  ssize_t n = read(slot(w[0]), events, sizeof events);
  if (n < 0 && errno != EAGAIN) return -errno;
  if (n <= 0) putchar('-');
  for (ssize_t at = 0; at < n;) {
    struct inotify_event *event = (struct inotify_event *)(events + at);
    if (at > 0) putchar(' ');
    for (const flag *f = event_names; f->name != NULL; f++)
      if ((event->mask & (unsigned)f->value) != 0) fputs(f->name, stdout);
    if (event->len > 0) printf(":%s", event->name);
    at += (ssize_t)(sizeof *event + event->len);
  }
  return PRINTED;
}
static long long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}
// churn A B MS: moves A to B and back for that long; prints how often, or the first errno.
static result do_churn(word *w, int count) {
  (void)count;
  long long end = now_ms() + number(w[2]), moves = 0;
  while (now_ms() < end) {
    if (rename(w[0].text, w[1].text) != 0 || rename(w[1].text, w[0].text) != 0) return -errno;
    moves += 2;
  }
  return moves;
}
// append PATH BYTES COUNT: opens with O_APPEND and writes the bytes that many times.
static result do_append(word *w, int count) {
  (void)count;
  long long wanted = number(w[2]);
  int fd = open(w[0].text, O_WRONLY | O_APPEND | O_CREAT, 0644);
  if (fd < 0) return -errno;
  for (long long i = 0; i < wanted; i++)
    if (write(fd, w[1].text, w[1].length) != (ssize_t)w[1].length) return errno > 0 ? -errno : -EIO;
  return checked(close(fd)) < 0 ? -errno : wanted;
}
// rewrite PATH BYTES MS: writes that many bytes at the start and calls fsync, over and over; prints how often.
static result do_rewrite(word *w, int count) {
  (void)count;
  size_t length = (size_t)number(w[1]);
  char *bytes = calloc(1, length);
  int fd = open(w[0].text, O_WRONLY | O_CREAT, 0644);
  if (fd < 0) return -errno;
  long long end = now_ms() + number(w[2]), times = 0;
  while (now_ms() < end) {
    // Different each time and hard to compress, so that each turn costs its full size.
    for (size_t i = 0; i + 4 <= length; i += 4) {
      unsigned x = (unsigned)(i * 2654435761U) ^ (unsigned)(times * 40503U);
      x ^= x << 13, x ^= x >> 17, x ^= x << 5;
      memcpy(bytes + i, &x, 4);
    }
    if (pwrite(fd, bytes, length, 0) < 0 || fsync(fd) != 0) return -errno;
    times++;
  }
  free(bytes);
  close(fd);
  return times;
}
// exec PATH: runs a program with no arguments; prints its exit code, or the errno of execve as a negative one.
static result do_exec(word *w, int count) {
  (void)count;
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) return -errno;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    char *argv[] = {w[0].text, NULL};
    execv(w[0].text, argv);
    int refusal = errno;
    if (write(report[1], &refusal, sizeof refusal) < 0) _exit(1);
    _exit(0);
  }
  close(report[1]);
  int refusal = 0, status = 0;
  ssize_t n = read(report[0], &refusal, sizeof refusal);
  close(report[0]);
  waitpid(child, &status, 0);
  return n > 0 ? -refusal : WEXITSTATUS(status);
}

const step process_steps[] = {{"as", 2, do_as},
                              {"umask", 1, do_umask},
                              {"sleep", 1, do_sleep},
                              {"drop_caches", 1, do_drop_caches},
                              {"fork", 0, do_fork},
                              {"flock", 2, do_flock},
                              {"setlk", 4, do_setlk},
                              {"ofdlk", 4, do_ofdlk},
                              {"getlk", 4, do_getlk},
                              {"watch", 1, do_watch},
                              {"events", 1, do_events},
                              {"churn", 3, do_churn},
                              {"append", 3, do_append},
                              {"rewrite", 3, do_rewrite},
                              {"exec", 1, do_exec},
                              {NULL, 0, NULL}};
