// syscalls STEP...: runs system calls that Node has no name for, in one process, one after the other.
// A step is one argument, words separated by spaces, %XX a byte: 'open f O_RDWR', 'write 0 a%20b', 'fstat 0 nlink'.
// Each step prints one line: its value, or the name of the errno. A failed step does not stop the rest.
// Exit code 2 says that a step was not understood; the steps themselves are in the other files.
#include "syscalls.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static int slots[64];
static int slot_count;

void misuse(const char *what, const char *text) {
  fprintf(stderr, "syscalls: %s: %s\n", what, text);
  exit(2);
}

result checked(long long value) { return value == -1 ? -errno : value; }

long long number(word w) {
  char *end;
  errno = 0;
  long long value = strtoll(w.text, &end, 0);
  if (errno != 0 || *end != 0 || w.length == 0) misuse("not a number", w.text);
  return value;
}

int octal(word w) {
  char *end;
  long value = strtol(w.text, &end, 8);
  if (*end != 0 || w.length == 0) misuse("not an octal number", w.text);
  return (int)value;
}

int slot(word w) {
  long long index = number(w);
  // A descriptor that was not opened is a finding, not a misuse: the call answers EBADF.
  return index < 0 || index >= slot_count ? -1 : slots[index];
}

result keep(int fd) {
  if (fd < 0) return -errno;
  if (slot_count == sizeof slots / sizeof *slots) misuse("too many open files", "");
  slots[slot_count] = fd;
  return slot_count++;
}

int flags(word w, const flag *table) {
  int sum = 0;
  for (char *name = strtok(w.text, ","); name != NULL; name = strtok(NULL, ",")) {
    const flag *f = table;
    while (f->name != NULL && strcmp(f->name, name) != 0) f++;
    if (f->name == NULL) misuse("unknown flag", name);
    sum |= f->value;
  }
  return sum;
}

void print_bytes(const char *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c > ' ' && c < 127 && c != '%') putchar(c);
    else printf("%%%02X", c);
  }
}

static word unescaped(char *text) {
  char *to = text;
  for (char *from = text; *from != 0; from++) {
    if (*from == '%' && isxdigit((unsigned char)from[1]) && isxdigit((unsigned char)from[2])) {
      char digits[3] = {from[1], from[2], 0};
      *to++ = (char)strtol(digits, NULL, 16);
      from += 2;
    } else {
      *to++ = *from;
    }
  }
  *to = 0;
  return (word){text, (size_t)(to - text)};
}

static const step *find(const char *name) {
  const step *families[] = {file_steps, name_steps, attribute_steps, process_steps};
  for (size_t i = 0; i < sizeof families / sizeof *families; i++)
    for (const step *s = families[i]; s->name != NULL; s++)
      if (strcmp(s->name, name) == 0) return s;
  misuse("unknown step", name);
}

static void run(char *text) {
  enum { WORDS_MAX = 16 };
  char *parts[WORDS_MAX + 1];
  int count = 0;
  for (char *part = strtok(text, " "); part != NULL; part = strtok(NULL, " ")) {
    if (count > WORDS_MAX) misuse("too many words", part);
    parts[count++] = part;
  }
  if (count == 0) misuse("empty step", "");
  word words[WORDS_MAX];
  // Escapes are resolved after splitting, so that a value may hold spaces.
  for (int i = 1; i < count; i++) words[i - 1] = unescaped(parts[i]);
  for (int i = count; i <= WORDS_MAX; i++) words[i - 1] = (word){"", 0};
  const step *s = find(parts[0]);
  if (count - 1 < s->words_min) misuse("too few words", parts[0]);
  result r = s->run(words, count - 1);
  if (r == PRINTED) putchar('\n');
  else if (r >= 0) printf("%lld\n", r);
  else printf("%s\n", strerrorname_np((int)-r) == NULL ? "unknown errno" : strerrorname_np((int)-r));
  // A child of `fork` must not print again what its parent printed.
  fflush(stdout);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) run(argv[i]);
  while (wait(NULL) > 0) {
  }
  return 0;
}
