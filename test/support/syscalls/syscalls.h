// Shared by the families of steps: the words of a step, the descriptors that earlier steps opened, how results print.
// Knows nothing of any one system call.
#ifndef SYSCALLS_H
#define SYSCALLS_H
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <stddef.h>

// One word of a step with its %XX escapes resolved; `text` ends in a NUL that `length` does not count.
typedef struct {
  char *text;
  size_t length;
} word;

// What a step returns: a value >= 0 that is printed, an errno as -errno that is printed by name, or PRINTED.
typedef long long result;
enum { PRINTED = -1000000 };

typedef struct {
  const char *name;
  int words_min;
  result (*run)(word *words, int count);
} step;

extern const step file_steps[], name_steps[], attribute_steps[], process_steps[];

// The result of a call that sets errno: `value` itself, or -errno when it is -1.
result checked(long long value);
// A number (decimal, 0x or 0 octal), else the process ends with exit code 2.
long long number(word w);
int octal(word w);
// The descriptor that the n-th successful `open` (or open-like step) made.
int slot(word w);
result keep(int fd);
// The sum of the named flags, separated by commas; a name that is not in the table ends the process.
typedef struct {
  const char *name;
  int value;
} flag;
int flags(word w, const flag *table);
// Prints bytes with everything but plain ASCII, '%' and space as %XX.
void print_bytes(const char *bytes, size_t length);
_Noreturn void misuse(const char *what, const char *word);

#endif
