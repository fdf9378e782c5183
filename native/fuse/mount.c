// Making and ending mounts, receiving the descriptor that fusermount3 passes, who is at the other end of a socket, the lock of a
// file, and the exchange of two names.
#define _GNU_SOURCE
#include "addon.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

// mount(source, type, directory, flags, options) -> descriptor of /dev/fuse; 'fd=N,' is put before the options.
napi_value avfs_mount(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  char source[PATH_MAX], type[64], directory[PATH_MAX], options[2048], data[2048 + 32];
  int32_t flags;
  if (!take_arguments(env, info, 5, arguments) || !take_string(env, arguments[0], "source", source, sizeof source) ||
      !take_string(env, arguments[1], "type", type, sizeof type) ||
      !take_string(env, arguments[2], "directory", directory, sizeof directory) ||
      !take_integer(env, arguments[3], "flags", 0, INT_MAX, &flags) ||
      !take_string(env, arguments[4], "options", options, sizeof options))
    return NULL;
  int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return integer(env, -errno);
  snprintf(data, sizeof data, "fd=%d,%s", fd, options);
  if (mount(source, directory, type, (unsigned long)flags, data) < 0) {
    int error = errno;
    close(fd);
    return integer(env, -error);
  }
  return integer(env, fd);
}

// unmount(directory, lazy) -> 0; lazy (1) detaches a directory that is in use.
napi_value avfs_unmount(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  char directory[PATH_MAX];
  int32_t lazy;
  if (!take_arguments(env, info, 2, arguments) ||
      !take_string(env, arguments[0], "directory", directory, sizeof directory) ||
      !take_integer(env, arguments[1], "lazy", 0, 1, &lazy))
    return NULL;
  int flags = UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0);
  return integer(env, umount2(directory, flags) < 0 ? -errno : 0);
}

// socketpair() -> [ours, theirs] or -errno. Ours is closed in a child; theirs too, unless it is handed to the child.
napi_value avfs_socketpair(napi_env env, napi_callback_info info) {
  if (!take_arguments(env, info, 0, NULL)) return NULL;
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0) return integer(env, -errno);
  napi_value result;
  napi_create_array_with_length(env, 2, &result);
  for (uint32_t i = 0; i < 2; i++) napi_set_element(env, result, i, integer(env, sockets[i]));
  return result;
}

// receiveDescriptor(socket) -> the descriptor that waits there, now non-blocking; -EAGAIN when none does.
napi_value avfs_receive_descriptor(napi_env env, napi_callback_info info) {
  napi_value argument;
  int socket;
  if (!take_arguments(env, info, 1, &argument) || !take_descriptor(env, argument, &socket)) return NULL;
  char byte;
  struct iovec piece = {&byte, 1};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
  ssize_t length;
  do {
    length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return integer(env, -errno);
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
      header->cmsg_len != CMSG_LEN(sizeof(int)))
    return integer(env, -EAGAIN);
  int fd;
  memcpy(&fd, CMSG_DATA(header), sizeof fd);
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) {
    int error = errno;
    close(fd);
    return integer(env, -error);
  }
  return integer(env, fd);
}

// peerUser(socket) -> the user that listens, or did when it was connected, at the other end of a Unix socket; see SO_PEERCRED in unix(7).
napi_value avfs_peer_user(napi_env env, napi_callback_info info) {
  napi_value argument;
  int socket;
  if (!take_arguments(env, info, 1, &argument) || !take_descriptor(env, argument, &socket)) return NULL;
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return integer(env, -errno);
  return integer(env, peer.uid);
}

// flock(fd, exclusive) -> 0, or -EWOULDBLOCK when another holds it; never waits. See flock(2).
napi_value avfs_flock(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  int fd;
  int32_t exclusive;
  if (!take_arguments(env, info, 2, arguments) || !take_descriptor(env, arguments[0], &fd) ||
      !take_integer(env, arguments[1], "exclusive", 0, 1, &exclusive))
    return NULL;
  return integer(env, flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0 ? -errno : 0);
}

// closeAtExec(fd) -> 0: programs that this process starts do not get it; see FD_CLOEXEC in fcntl(2).
napi_value avfs_close_at_exec(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  int fd;
  if (!take_arguments(env, info, 1, arguments) || !take_descriptor(env, arguments[0], &fd)) return NULL;
  return integer(env, fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0);
}

// exchange(path, other) -> 0: two names of one file system change places in one step; see RENAME_EXCHANGE in rename(2).
napi_value avfs_exchange(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  char path[PATH_MAX], other[PATH_MAX];
  if (!take_arguments(env, info, 2, arguments) || !take_string(env, arguments[0], "path", path, sizeof path) ||
      !take_string(env, arguments[1], "other", other, sizeof other))
    return NULL;
  return integer(env, renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE) < 0 ? -errno : 0);
}
