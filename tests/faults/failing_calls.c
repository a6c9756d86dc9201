/* Lets calls on files fail, or do nothing, where the environment says so; preloaded into the program under test.
 *
 *   FAULT_CALL=write|sync|rename|create|link   which calls
 *   FAULT_PATH=TEXT                       on files whose path contains this
 *   FAULT_AFTER=N                         the first N such calls succeed (default 0)
 *   FAULT_TIMES=N                         then so many fail (default 1; -1: all)
 *   FAULT_ERRNO=N                         with this error
 *   FAULT_SHORT=1                         the first write that fails leaves half of its bytes behind
 *   FAULT_DONE=1                          links are made all the same: only the answer is lost
 *   FAULT_MARK=FILE                       is created when the first call fails
 *   FAULT_NO_SYNC=1                       every fsync and fdatasync returns at once
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;

static long number(const char *name, long otherwise) {
  const char *text = getenv(name);
  return text == NULL ? otherwise : strtol(text, NULL, 10);
}

static int concerns(const char *call, const char *path) {
  const char *wanted = getenv("FAULT_CALL");
  const char *part = getenv("FAULT_PATH");
  return wanted != NULL && part != NULL && strcmp(wanted, call) == 0 && strstr(path, part) != NULL;
}

static void mark(void) {
  const char *path = getenv("FAULT_MARK");
  int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
  int file = path == NULL ? -1 : real(path, O_WRONLY | O_CREAT, 0644);
  if (file >= 0) close(file);
}

/* How many calls of those that fail were before this one; -1: this one does not fail. */
static long failure(const char *call, const char *path) {
  if (!concerns(call, path)) return -1;
  long nth = atomic_fetch_add(&calls, 1) - number("FAULT_AFTER", 0);
  long times = number("FAULT_TIMES", 1);
  if (nth < 0 || (times >= 0 && nth >= times)) return -1;
  if (nth == 0) mark();
  errno = (int)number("FAULT_ERRNO", EIO);
  return nth;
}

static long failure_of(const char *call, int descriptor) {
  char link[64];
  char path[4096];
  if (getenv("FAULT_CALL") == NULL) return -1;
  int saved = errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  errno = saved;
  if (length < 0) return -1;
  path[length] = '\0';
  return failure(call, path);
}

static int leaves_half(long nth, size_t size) { return nth == 0 && size > 1 && number("FAULT_SHORT", 0) != 0; }

ssize_t write(int descriptor, const void *bytes, size_t size) {
  ssize_t (*real)(int, const void *, size_t) = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  long nth = failure_of("write", descriptor);
  if (leaves_half(nth, size)) return real(descriptor, bytes, size / 2);
  return nth >= 0 ? -1 : real(descriptor, bytes, size);
}

static ssize_t write_at(const char *name, int descriptor, const void *bytes, size_t size, off64_t offset) {
  ssize_t (*real)(int, const void *, size_t, off64_t) =
      (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, name);
  long nth = failure_of("write", descriptor);
  if (leaves_half(nth, size)) return real(descriptor, bytes, size / 2, offset);
  return nth >= 0 ? -1 : real(descriptor, bytes, size, offset);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t offset) {
  return write_at("pwrite", descriptor, bytes, size, offset);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off64_t offset) {
  return write_at("pwrite64", descriptor, bytes, size, offset);
}

static int sync_by(const char *name, int descriptor) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  if (number("FAULT_NO_SYNC", 0) != 0) return 0;
  return failure_of("sync", descriptor) >= 0 ? -1 : real(descriptor);
}

int fsync(int descriptor) { return sync_by("fsync", descriptor); }

int fdatasync(int descriptor) { return sync_by("fdatasync", descriptor); }

int rename(const char *from, const char *to) {
  int (*real)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
  return failure("rename", to) >= 0 ? -1 : real(from, to);
}

int link(const char *from, const char *to) {
  int (*real)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "link");
  if (failure("link", to) < 0) return real(from, to);
  int code = errno;
  if (number("FAULT_DONE", 0) != 0) real(from, to);
  errno = code;
  return -1;
}

static int open_by(const char *name, const char *path, int flags, mode_t mode) {
  int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name);
  if ((flags & O_CREAT) != 0 && failure("create", path) >= 0) return -1;
  return real(path, flags, mode);
}

static mode_t mode_of(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_by("open", path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_by("open64", path, flags, mode);
}
