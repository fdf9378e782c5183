// Steps on names: making, moving and removing them, listings, file handles.
#include "syscalls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

static const flag rename_flags[] = {{"none", 0},
                                    {"noreplace", RENAME_NOREPLACE},
                                    {"whiteout", RENAME_WHITEOUT},
                                    {"exchange", RENAME_EXCHANGE},
                                    {"whiteout", RENAME_WHITEOUT},
                                    {"bogus", 1 << 20},
                                    {NULL, 0}};

static const flag types[] = {{"fifo", S_IFIFO}, {"sock", S_IFSOCK}, {"char", S_IFCHR},
                             {"block", S_IFBLK}, {"file", S_IFREG}, {NULL, 0}};

static struct {
  struct file_handle head;
  char bytes[MAX_HANDLE_SZ];
} handle;

static result do_link(word *w, int count) {
  (void)count;
  return checked(link(w[0].text, w[1].text));
}
// linkfd N PATH: gives the open file a name, as for an O_TMPFILE.
static result do_linkfd(word *w, int count) {
  (void)count;
  char path[40];
  snprintf(path, sizeof path, "/proc/self/fd/%d", slot(w[0]));
  return checked(linkat(AT_FDCWD, path, AT_FDCWD, w[1].text, AT_SYMLINK_FOLLOW));
}
static result do_unlink(word *w, int count) {
  (void)count;
  return checked(unlink(w[0].text));
}
static result do_rmdir(word *w, int count) {
  (void)count;
  return checked(rmdir(w[0].text));
}
static result do_mkdir(word *w, int count) {
  return checked(mkdir(w[0].text, count > 1 ? (mode_t)octal(w[1]) : 0755));
}
static result do_symlink(word *w, int count) {
  (void)count;
  return checked(symlink(w[0].text, w[1].text));
}
static result do_readlink(word *w, int count) {
  (void)count;
  static char target[1 << 16];
  ssize_t n = readlink(w[0].text, target, sizeof target);
  if (n < 0) return -errno;
  print_bytes(target, (size_t)n);
  return PRINTED;
}
// mknod PATH TYPE MODE [MAJOR MINOR]
static result do_mknod(word *w, int count) {
  dev_t device = count > 4 ? makedev((unsigned)number(w[3]), (unsigned)number(w[4])) : 0;
  return checked(mknod(w[0].text, (mode_t)(flags(w[1], types) | octal(w[2])), device));
}
// bind PATH: makes a Unix socket that listens there.
static result do_bind(word *w, int count) {
  (void)count;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", w[0].text);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) return -errno;
  return listen(fd, 1) == 0 ? keep(fd) : -errno;
}
// connect PATH
static result do_connect(word *w, int count) {
  (void)count;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", w[0].text);
  return checked(connect(fd, (struct sockaddr *)&address, sizeof address));
}
// rename FROM TO [FLAGS]: renameat2.
static result do_rename(word *w, int count) {
  unsigned how = count > 2 ? (unsigned)flags(w[2], rename_flags) : 0;
  return checked(renameat2(AT_FDCWD, w[0].text, AT_FDCWD, w[1].text, how));
}
static result do_chdir(word *w, int count) {
  (void)count;
  return checked(chdir(w[0].text));
}
// cwd: getcwd, or its errno when the directory is gone.
static result do_cwd(word *w, int count) {
  (void)w, (void)count;
  char path[4096];
  if (getcwd(path, sizeof path) == NULL) return -errno;
  fputs(path, stdout);
  return PRINTED;
}
// getdents N BYTES: one getdents64 call with a buffer of that size; prints the names, '-' at the end.
static result do_getdents(word *w, int count) {
  (void)count;
  static char entries[1 << 16];
  long n = syscall(SYS_getdents64, slot(w[0]), entries, (size_t)number(w[1]));
  if (n < 0) return -errno;
  if (n == 0) putchar('-');
  for (long at = 0; at < n;) {
    struct dirent64 *entry = (struct dirent64 *)(entries + at);
    if (at > 0) putchar(' ');
    print_bytes(entry->d_name, strlen(entry->d_name));
    at += entry->d_reclen;
  }
  return PRINTED;
}
// many PREFIX COUNT: makes COUNT empty files PREFIX0, PREFIX1, ...; prints how many it made before the first errno.
static result do_many(word *w, int count) {
  (void)count;
  long long made = 0, wanted = number(w[1]);
  char path[4096];
  while (made < wanted) {
    snprintf(path, sizeof path, "%s%lld", w[0].text, made);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
    if (fd < 0) break;
    close(fd);
    made++;
  }
  return made;
}
// none PREFIX COUNT: removes them again.
static result do_none(word *w, int count) {
  (void)count;
  long long removed = 0, wanted = number(w[1]);
  char path[4096];
  while (removed < wanted) {
    snprintf(path, sizeof path, "%s%lld", w[0].text, removed);
    if (unlink(path) != 0) break;
    removed++;
  }
  return removed;
}
// links PATH PREFIX MAX: links until the file system refuses; prints the link count then and the errno.
static result do_links(word *w, int count) {
  (void)count;
  long long wanted = number(w[2]);
  char path[4096];
  struct stat st;
  for (long long i = 0; i < wanted; i++) {
    snprintf(path, sizeof path, "%s%lld", w[1].text, i);
    if (link(w[0].text, path) == 0) continue;
    int refusal = errno;
    stat(w[0].text, &st);
    printf("%lu %s", (unsigned long)st.st_nlink, strerrorname_np(refusal));
    return PRINTED;
  }
  return 0;
}
// handle PATH: remembers name_to_handle_at of it.
static result do_handle(word *w, int count) {
  (void)count;
  int mount_id;
  handle.head.handle_bytes = MAX_HANDLE_SZ;
  return checked(name_to_handle_at(AT_FDCWD, w[0].text, &handle.head, &mount_id, 0));
}
// openhandle PATH FLAGS: opens what was remembered; PATH is any place on the same mount.
static result do_openhandle(word *w, int count) {
  (void)count;
  int mount = open(w[0].text, O_RDONLY);
  if (mount < 0) return -errno;
  int fd = open_by_handle_at(mount, &handle.head, strcmp(w[1].text, "O_RDWR") == 0 ? O_RDWR : O_RDONLY);
  int refusal = errno;
  close(mount);
  errno = refusal;
  return keep(fd);
}

const step name_steps[] = {{"link", 2, do_link},
                           {"linkfd", 2, do_linkfd},
                           {"unlink", 1, do_unlink},
                           {"rmdir", 1, do_rmdir},
                           {"mkdir", 1, do_mkdir},
                           {"symlink", 2, do_symlink},
                           {"readlink", 1, do_readlink},
                           {"mknod", 3, do_mknod},
                           {"bind", 1, do_bind},
                           {"connect", 1, do_connect},
                           {"rename", 2, do_rename},
                           {"chdir", 1, do_chdir},
                           {"cwd", 0, do_cwd},
                           {"getdents", 2, do_getdents},
                           {"many", 2, do_many},
                           {"none", 2, do_none},
                           {"links", 3, do_links},
                           {"handle", 1, do_handle},
                           {"openhandle", 2, do_openhandle},
                           {NULL, 0, NULL}};
