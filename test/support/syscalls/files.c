// Steps on open files: reading, writing, sizes, holes, mappings. Buffers are page-aligned, so that O_DIRECT works.
#include "syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static const flag open_flags[] = {
    {"O_RDONLY", O_RDONLY}, {"O_WRONLY", O_WRONLY},       {"O_RDWR", O_RDWR},         {"O_CREAT", O_CREAT},
    {"O_EXCL", O_EXCL},     {"O_TRUNC", O_TRUNC},         {"O_APPEND", O_APPEND},     {"O_DIRECT", O_DIRECT},
    {"O_SYNC", O_SYNC},     {"O_DIRECTORY", O_DIRECTORY}, {"O_NOFOLLOW", O_NOFOLLOW}, {"O_TMPFILE", O_TMPFILE},
    {"O_PATH", O_PATH},     {"O_NONBLOCK", O_NONBLOCK},   {"O_NOATIME", O_NOATIME},   {NULL, 0}};

static const flag fallocate_flags[] = {{"allocate", 0},
                                       {"keep", FALLOC_FL_KEEP_SIZE},
                                       {"punch", FALLOC_FL_PUNCH_HOLE},
                                       {"zero", FALLOC_FL_ZERO_RANGE},
                                       {"collapse", FALLOC_FL_COLLAPSE_RANGE},
                                       {NULL, 0}};

static const flag whences[] = {{"set", SEEK_SET}, {"cur", SEEK_CUR},   {"end", SEEK_END},
                               {"data", SEEK_DATA}, {"hole", SEEK_HOLE}, {NULL, 0}};

static char *mapping;
static size_t mapping_length;

static char *buffer(size_t length) {
  void *memory = NULL;
  if (posix_memalign(&memory, 4096, length + 1) != 0) misuse("out of memory", "");
  memset(memory, 0, length + 1);
  return memory;
}

// open PATH FLAGS [MODE]: prints the number by which later steps name the descriptor: 0, 1, ...
static result do_open(word *w, int count) {
  return keep(open(w[0].text, flags(w[1], open_flags), count > 2 ? octal(w[2]) : 0644));
}
static result do_close(word *w, int count) {
  (void)count;
  return checked(close(slot(w[0])));
}
static result do_write(word *w, int count) {
  (void)count;
  return checked(write(slot(w[0]), w[1].text, w[1].length));
}
// pwrite N OFFSET BYTES
static result do_pwrite(word *w, int count) {
  (void)count;
  return checked(pwrite(slot(w[0]), w[2].text, w[2].length, number(w[1])));
}
// fill N OFFSET LENGTH BYTE: writes LENGTH times the byte.
static result do_fill(word *w, int count) {
  (void)count;
  size_t length = (size_t)number(w[2]);
  char *bytes = buffer(length);
  memset(bytes, w[3].text[0], length);
  result r = checked(pwrite(slot(w[0]), bytes, length, number(w[1])));
  free(bytes);
  return r;
}
// noise N OFFSET LENGTH SEED: writes bytes that do not compress and repeat nowhere, 1 MiB a call.
static result do_noise(word *w, int count) {
  (void)count;
  enum { PIECE = 1 << 20 };
  char *bytes = buffer(PIECE);
  long long offset = number(w[1]), left = number(w[2]);
  unsigned long long x = 88172645463325252ULL + (unsigned long long)number(w[3]) * 2654435761ULL;
  result r = 0;
  while (left > 0) {
    size_t length = left < PIECE ? (size_t)left : PIECE;
    for (size_t i = 0; i + 8 <= PIECE; i += 8) {
      x ^= x << 13, x ^= x >> 7, x ^= x << 17;
      memcpy(bytes + i, &x, 8);
    }
    ssize_t n = pwrite(slot(w[0]), bytes, length, offset);
    if (n <= 0) {
      free(bytes);
      return checked(n);
    }
    offset += n, left -= n, r += n;
  }
  free(bytes);
  return r;
}
// pread N OFFSET LENGTH: prints the bytes read, '-' for none.
static result do_pread(word *w, int count) {
  (void)count;
  size_t length = (size_t)number(w[2]);
  char *bytes = buffer(length);
  ssize_t n = pread(slot(w[0]), bytes, length, number(w[1]));
  if (n < 0) return -errno;
  if (n == 0) putchar('-');
  print_bytes(bytes, (size_t)n);
  free(bytes);
  return PRINTED;
}
// same N OFFSET LENGTH: prints how many bytes were read and their value if all are one: '4096 x', '4096 %00', '8 mixed'.
static result do_same(word *w, int count) {
  (void)count;
  size_t length = (size_t)number(w[2]), got = 0;
  char *bytes = buffer(length);
  while (got < length) {
    ssize_t n = pread(slot(w[0]), bytes + got, length - got, number(w[1]) + (long long)got);
    if (n < 0) return -errno;
    if (n == 0) break;
    got += (size_t)n;
  }
  printf("%zu ", got);
  if (got > 0 && memcmp(bytes, bytes + 1, got - 1) == 0) print_bytes(bytes, 1);
  else printf("mixed");
  free(bytes);
  return PRINTED;
}
static result do_ftruncate(word *w, int count) {
  (void)count;
  return checked(ftruncate(slot(w[0]), number(w[1])));
}
static result do_truncate(word *w, int count) {
  (void)count;
  return checked(truncate(w[0].text, number(w[1])));
}
// fallocate N MODE OFFSET LENGTH
static result do_fallocate(word *w, int count) {
  (void)count;
  return checked(fallocate(slot(w[0]), flags(w[1], fallocate_flags), number(w[2]), number(w[3])));
}
// lseek N OFFSET WHENCE
static result do_lseek(word *w, int count) {
  (void)count;
  return checked(lseek(slot(w[0]), number(w[1]), flags(w[2], whences)));
}
// copy_file_range N OFFSET N OFFSET LENGTH: until all is copied or nothing more is to be read; prints the sum.
static result do_copy(word *w, int count) {
  (void)count;
  loff_t from = number(w[1]), to = number(w[3]);
  long long left = number(w[4]), sum = 0;
  while (left > 0) {
    ssize_t n = copy_file_range(slot(w[0]), &from, slot(w[2]), &to, (size_t)left, 0);
    if (n < 0) return -errno;
    if (n == 0) break;
    sum += n, left -= n;
  }
  return sum;
}
static result do_fsync(word *w, int count) {
  (void)count;
  return checked(fsync(slot(w[0])));
}
static result do_fdatasync(word *w, int count) {
  (void)count;
  return checked(fdatasync(slot(w[0])));
}
static result do_syncfs(word *w, int count) {
  (void)count;
  return checked(syncfs(slot(w[0])));
}
// mmap N LENGTH: maps it shared and writable; poke, peek and msync mean this mapping.
static result do_mmap(word *w, int count) {
  (void)count;
  mapping_length = (size_t)number(w[1]);
  void *at = mmap(NULL, mapping_length, PROT_READ | PROT_WRITE, MAP_SHARED, slot(w[0]), 0);
  if (at == MAP_FAILED) return -errno;
  mapping = at;
  return 0;
}
static result do_poke(word *w, int count) {
  (void)count;
  memcpy(mapping + number(w[0]), w[1].text, w[1].length);
  return 0;
}
static result do_peek(word *w, int count) {
  (void)count;
  print_bytes(mapping + number(w[0]), (size_t)number(w[1]));
  return PRINTED;
}
static result do_msync(word *w, int count) {
  (void)w, (void)count;
  return checked(msync(mapping, mapping_length, MS_SYNC));
}
static result do_munmap(word *w, int count) {
  (void)w, (void)count;
  return checked(munmap(mapping, mapping_length));
}
// forget N: the kernel drops what it has cached of the file, as far as nobody maps it.
static result do_forget(word *w, int count) {
  (void)count;
  if (fsync(slot(w[0])) != 0) return -errno;
  return posix_fadvise(slot(w[0]), 0, 0, POSIX_FADV_DONTNEED);
}
// getflags N: FS_IOC_GETFLAGS.
static result do_getflags(word *w, int count) {
  (void)count;
  int value = 0;
  return ioctl(slot(w[0]), FS_IOC_GETFLAGS, &value) == -1 ? -errno : 0;
}

const step file_steps[] = {{"open", 2, do_open},
                           {"close", 1, do_close},
                           {"write", 2, do_write},
                           {"pwrite", 3, do_pwrite},
                           {"fill", 4, do_fill},
                           {"noise", 4, do_noise},
                           {"pread", 3, do_pread},
                           {"same", 3, do_same},
                           {"ftruncate", 2, do_ftruncate},
                           {"truncate", 2, do_truncate},
                           {"fallocate", 4, do_fallocate},
                           {"lseek", 3, do_lseek},
                           {"copy_file_range", 5, do_copy},
                           {"fsync", 1, do_fsync},
                           {"fdatasync", 1, do_fdatasync},
                           {"syncfs", 1, do_syncfs},
                           {"mmap", 2, do_mmap},
                           {"poke", 2, do_poke},
                           {"peek", 2, do_peek},
                           {"msync", 0, do_msync},
                           {"munmap", 0, do_munmap},
                           {"forget", 1, do_forget},
                           {"getflags", 1, do_getflags},
                           {NULL, 0, NULL}};
