// Steps on what an inode carries: stat, modes, owners, times, extended attributes; and statfs.
#include "syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static const flag xattr_flags[] = {
    {"none", 0}, {"create", XATTR_CREATE}, {"replace", XATTR_REPLACE}, {NULL, 0}};

static void print_time(struct statx_timestamp t) { printf("%lld.%09u", (long long)t.tv_sec, t.tv_nsec); }

static void print_field(const char *field, const struct statx *st) {
  if (strcmp(field, "ino") == 0) printf("%llu", (unsigned long long)st->stx_ino);
  else if (strcmp(field, "mode") == 0) printf("%o", st->stx_mode & 07777);
  else if (strcmp(field, "type") == 0) printf("%o", st->stx_mode >> 12);
  else if (strcmp(field, "nlink") == 0) printf("%u", st->stx_nlink);
  else if (strcmp(field, "uid") == 0) printf("%u", st->stx_uid);
  else if (strcmp(field, "gid") == 0) printf("%u", st->stx_gid);
  else if (strcmp(field, "size") == 0) printf("%llu", (unsigned long long)st->stx_size);
  else if (strcmp(field, "blocks") == 0) printf("%llu", (unsigned long long)st->stx_blocks);
  else if (strcmp(field, "rdev") == 0) printf("%u:%u", st->stx_rdev_major, st->stx_rdev_minor);
  else if (strcmp(field, "dev") == 0) printf("%u:%u", st->stx_dev_major, st->stx_dev_minor);
  else if (strcmp(field, "atime") == 0) print_time(st->stx_atime);
  else if (strcmp(field, "mtime") == 0) print_time(st->stx_mtime);
  else if (strcmp(field, "ctime") == 0) print_time(st->stx_ctime);
  else if (strcmp(field, "btime") == 0 && (st->stx_mask & STATX_BTIME) == 0) putchar('-');
  else if (strcmp(field, "btime") == 0) print_time(st->stx_btime);
  else misuse("unknown field", field);
}

static result print_fields(int fd, const char *path, int how, word fields) {
  struct statx st;
  if (statx(fd, path, how, STATX_BASIC_STATS | STATX_BTIME, &st) != 0) return -errno;
  int first = 1;
  for (char *field = strtok(fields.text, ","); field != NULL; field = strtok(NULL, ",")) {
    if (!first) putchar(' ');
    first = 0;
    print_field(field, &st);
  }
  return PRINTED;
}
// stat PATH FIELDS, lstat PATH FIELDS, fstat N FIELDS: values of the fields, in the order asked for.
static result do_stat(word *w, int count) {
  (void)count;
  return print_fields(AT_FDCWD, w[0].text, 0, w[1]);
}
static result do_lstat(word *w, int count) {
  (void)count;
  return print_fields(AT_FDCWD, w[0].text, AT_SYMLINK_NOFOLLOW, w[1]);
}
static result do_fstat(word *w, int count) {
  (void)count;
  return print_fields(slot(w[0]), "", AT_EMPTY_PATH, w[1]);
}
static result do_chmod(word *w, int count) {
  (void)count;
  return checked(chmod(w[0].text, (mode_t)octal(w[1])));
}
static result do_fchmod(word *w, int count) {
  (void)count;
  return checked(fchmod(slot(w[0]), (mode_t)octal(w[1])));
}
// chown PATH UID GID: -1 leaves one alone; lchown does not follow a symlink.
static result do_chown(word *w, int count) {
  (void)count;
  return checked(chown(w[0].text, (uid_t)number(w[1]), (gid_t)number(w[2])));
}
static result do_fchown(word *w, int count) {
  (void)count;
  return checked(fchown(slot(w[0]), (uid_t)number(w[1]), (gid_t)number(w[2])));
}
static result do_lchown(word *w, int count) {
  (void)count;
  return checked(lchown(w[0].text, (uid_t)number(w[1]), (gid_t)number(w[2])));
}
// access PATH MODE: 4 read, 2 write, 1 search; with the effective ids, as the kernel checks a system call.
static result do_access(word *w, int count) {
  (void)count;
  return checked(faccessat(AT_FDCWD, w[0].text, octal(w[1]), AT_EACCESS));
}
static struct timespec timespec_of(word w) {
  if (strcmp(w.text, "now") == 0) return (struct timespec){0, UTIME_NOW};
  if (strcmp(w.text, "omit") == 0) return (struct timespec){0, UTIME_OMIT};
  char *dot;
  long long seconds = strtoll(w.text, &dot, 10);
  if (*dot != '.' && *dot != 0) misuse("not a time", w.text);
  return (struct timespec){seconds, *dot == '.' ? strtol(dot + 1, NULL, 10) : 0};
}
// utimens PATH ATIME MTIME [nofollow]: a time is SECONDS.NNNNNNNNN (the nanoseconds count forward), now or omit.
static result do_utimens(word *w, int count) {
  struct timespec times[2] = {timespec_of(w[1]), timespec_of(w[2])};
  return checked(utimensat(AT_FDCWD, w[0].text, times, count > 3 ? AT_SYMLINK_NOFOLLOW : 0));
}
static result do_futimens(word *w, int count) {
  (void)count;
  struct timespec times[2] = {timespec_of(w[1]), timespec_of(w[2])};
  return checked(futimens(slot(w[0]), times));
}
// setxattr PATH NAME VALUE [create|replace]: the value may be left out with '-'.
static result do_setxattr(word *w, int count) {
  size_t length = strcmp(w[2].text, "-") == 0 ? 0 : w[2].length;
  return checked(lsetxattr(w[0].text, w[1].text, w[2].text, length, count > 3 ? flags(w[3], xattr_flags) : 0));
}
// fsetxattr N NAME VALUE
static result do_fsetxattr(word *w, int count) {
  (void)count;
  return checked(fsetxattr(slot(w[0]), w[1].text, w[2].text, w[2].length, 0));
}
// fillxattr PATH NAME LENGTH: a value of that many bytes 'v'.
static result do_fillxattr(word *w, int count) {
  (void)count;
  size_t length = (size_t)number(w[2]);
  char *value = malloc(length + 1);
  memset(value, 'v', length);
  result r = checked(lsetxattr(w[0].text, w[1].text, value, length, 0));
  free(value);
  return r;
}
// getxattr PATH NAME [SIZE]: prints the value ('-' when empty); with a SIZE, the returned length.
static result do_getxattr(word *w, int count) {
  static char value[1 << 17];
  if (count > 2) return checked(lgetxattr(w[0].text, w[1].text, value, (size_t)number(w[2])));
  ssize_t n = lgetxattr(w[0].text, w[1].text, value, sizeof value);
  if (n < 0) return -errno;
  if (n == 0) putchar('-');
  print_bytes(value, (size_t)n);
  return PRINTED;
}
static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
// listxattr PATH [SIZE]: prints the names in order ('-' for none) without security.*; with a SIZE, the returned length.
static result do_listxattr(word *w, int count) {
  static char list[1 << 17];
  static char *names[1 << 14];
  if (count > 1) return checked(llistxattr(w[0].text, list, (size_t)number(w[1])));
  ssize_t n = llistxattr(w[0].text, list, sizeof list);
  if (n < 0) return -errno;
  size_t found = 0;
  for (char *name = list; name < list + n; name += strlen(name) + 1)
    if (strncmp(name, "security.", 9) != 0) names[found++] = name;
  qsort(names, found, sizeof *names, by_text);
  if (found == 0) putchar('-');
  for (size_t i = 0; i < found; i++) printf("%s%s", i > 0 ? " " : "", names[i]);
  return PRINTED;
}
static result do_removexattr(word *w, int count) {
  (void)count;
  return checked(lremovexattr(w[0].text, w[1].text));
}
// statfs PATH: prints 'block size, blocks, free, available, files, free files, name length'.
static result do_statfs(word *w, int count) {
  (void)count;
  struct statfs st;
  if (statfs(w[0].text, &st) != 0) return -errno;
  printf("%ld %llu %llu %llu %llu %llu %ld", (long)st.f_bsize, (unsigned long long)st.f_blocks,
         (unsigned long long)st.f_bfree, (unsigned long long)st.f_bavail, (unsigned long long)st.f_files,
         (unsigned long long)st.f_ffree, (long)st.f_namelen);
  return PRINTED;
}

const step attribute_steps[] = {{"stat", 2, do_stat},
                                {"lstat", 2, do_lstat},
                                {"fstat", 2, do_fstat},
                                {"chmod", 2, do_chmod},
                                {"fchmod", 2, do_fchmod},
                                {"chown", 3, do_chown},
                                {"fchown", 3, do_fchown},
                                {"lchown", 3, do_lchown},
                                {"access", 2, do_access},
                                {"utimens", 3, do_utimens},
                                {"futimens", 3, do_futimens},
                                {"setxattr", 3, do_setxattr},
                                {"fsetxattr", 3, do_fsetxattr},
                                {"fillxattr", 3, do_fillxattr},
                                {"getxattr", 2, do_getxattr},
                                {"listxattr", 1, do_listxattr},
                                {"removexattr", 2, do_removexattr},
                                {"statfs", 1, do_statfs},
                                {NULL, 0, NULL}};
