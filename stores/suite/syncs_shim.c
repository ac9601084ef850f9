/* Writes down the calls that write and sync, in the words of `strace -f`: where strace can't be used.

   Loaded by LD_PRELOAD into a process, it takes the place of the C library's functions. A filter of the kernel ends the
   process by SIGSYS at any sync that doesn't come from here (Go, io_uring, static programs), so that what is written down
   is all there was. Line by line in the file that PARITY_SYNCS names. For Linux on x86-64. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the shim that counts syncs is for x86-64"
#endif
#define REFUSED 97 /* the exit code where the kernel takes no filter */

long shim_call(long number, long a, long b, long c, long d, long e, long f);
extern char shim_called[];
__asm__(".text\n"
        ".hidden shim_call\n.globl shim_call\n.hidden shim_called\n.globl shim_called\n"
        "shim_call:\n"
        "mov %rdi, %rax\n mov %rsi, %rdi\n mov %rdx, %rsi\n mov %rcx, %rdx\n"
        "mov %r8, %r10\n mov %r9, %r8\n mov 8(%rsp), %r9\n"
        "syscall\n"
        "shim_called:\n ret\n");

static int out = -1;

static void say(const char *format, ...) {
    char text[160];
    size_t length = snprintf(text, sizeof text, "%ld ", syscall(SYS_gettid));
    va_list rest;
    va_start(rest, format);
    length += vsnprintf(text + length, sizeof text - length, format, rest);
    va_end(rest);
    text[length++] = '\n';
    shim_call(SYS_write, out, (long)text, length, 0, 0, 0);
}

static long answered(long answer) {
    if ((unsigned long)answer > -4096UL) {
        errno = -answer;
        return -1;
    }
    return answer;
}

static long synced(const char *name, const char *how, long number, long a, long b, long c, long d, long e) {
    say("%s(%ld%s <unfinished ...>", name, a, how);
    long answer = shim_call(number, a, b, c, d, e, 0);
    say("<... %s resumed>) = %d", name, answer < 0 ? -1 : 0);
    return answered(answer);
}

int fsync(int file) { return synced("fsync", "", SYS_fsync, file, 0, 0, 0, 0); }
int fdatasync(int file) { return synced("fdatasync", "", SYS_fdatasync, file, 0, 0, 0, 0); }
int syncfs(int file) { return synced("syncfs", "", SYS_syncfs, file, 0, 0, 0, 0); }
int msync(void *start, size_t length, int flags) {
    return synced("msync", flags & MS_ASYNC ? ", MS_ASYNC" : "", SYS_msync, (long)start, length, flags, 0, 0);
}
int sync_file_range(int file, off64_t from, off64_t length, unsigned flags) {
    return synced("sync_file_range", "", SYS_sync_file_range, file, from, length, flags, 0);
}

/* A write to a file that was opened with O_SYNC or O_DSYNC is a sync too. */
static long written(const char *name, long number, int file, const void *what, long length, long at, int flags) {
    int mode = fcntl(file, F_GETFL);
    say("%s(%d)", name, file);
    if ((mode >= 0 && mode & O_DSYNC) || flags & (RWF_DSYNC | RWF_SYNC)) {
        say("fdatasync(%d <unfinished ...>", file);
        long answer = shim_call(number, file, (long)what, length, at, 0, flags);
        say("<... fdatasync resumed>) = %d", answer < 0 ? -1 : 0);
        return answered(answer);
    }
    return answered(shim_call(number, file, (long)what, length, at, 0, flags));
}

ssize_t write(int file, const void *from, size_t length) { return written("write", SYS_write, file, from, length, 0, 0); }
ssize_t pwrite(int file, const void *from, size_t length, off_t at) {
    return written("pwrite64", SYS_pwrite64, file, from, length, at, 0);
}
ssize_t pwrite64(int file, const void *from, size_t length, off64_t at) { return pwrite(file, from, length, at); }
ssize_t writev(int file, const struct iovec *from, int number) {
    return written("writev", SYS_writev, file, from, number, 0, 0);
}
ssize_t pwritev(int file, const struct iovec *from, int number, off_t at) {
    return written("pwritev", SYS_pwritev, file, from, number, at, 0);
}
ssize_t pwritev64(int file, const struct iovec *from, int number, off64_t at) { return pwritev(file, from, number, at); }
ssize_t pwritev2(int file, const struct iovec *from, int number, off_t at, int flags) {
    return written("pwritev2", SYS_pwritev2, file, from, number, at, flags);
}
ssize_t pwritev64v2(int file, const struct iovec *from, int number, off64_t at, int flags) {
    return pwritev2(file, from, number, at, flags);
}

/* What stdio writes, it writes within the C library: whatever may make it do so counts as a write. */
#define STDIO(type, name, parameters, arguments)                              \
    type name parameters {                                                    \
        say("write(-1)");                                                     \
        return ((type(*) parameters)dlsym(RTLD_NEXT, #name))arguments;         \
    }
STDIO(size_t, fwrite, (const void *from, size_t size, size_t number, FILE *file), (from, size, number, file))
STDIO(int, fputs, (const char *text, FILE *file), (text, file))
STDIO(int, fputc, (int character, FILE *file), (character, file))
STDIO(int, vfprintf, (FILE *file, const char *format, va_list rest), (file, format, rest))
STDIO(int, fflush, (FILE *file), (file))
STDIO(int, fclose, (FILE *file), (file))

#define LOAD(field) (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, then, otherwise) (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), then, otherwise)
#define END(how) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, how)

static int take_filter(void) {
    static const int watched[] = {SYS_fsync, SYS_fdatasync, SYS_syncfs, SYS_sync, SYS_msync, SYS_sync_file_range,
                                  SYS_pwrite64, SYS_writev, SYS_pwritev, SYS_pwritev2, SYS_io_uring_setup};
    enum { NUMBER = sizeof watched / sizeof *watched };
    struct sock_filter filter[NUMBER + 10];
    int n = 0;
    filter[n++] = LOAD(arch);
    filter[n++] = IS(AUDIT_ARCH_X86_64, 0, NUMBER + 7);
    filter[n++] = LOAD(nr);
    for (int i = 0; i < NUMBER; i++) filter[n++] = IS(watched[i], NUMBER - i, 0);
    filter[n++] = END(SECCOMP_RET_ALLOW);
    filter[n++] = LOAD(instruction_pointer);
    filter[n++] = IS((uint64_t)shim_called, 0, 3);
    filter[n++] = LOAD(instruction_pointer);
    filter[n - 1].k += 4; /* its upper half */
    filter[n++] = IS((uint64_t)shim_called >> 32, 0, 1);
    filter[n++] = END(SECCOMP_RET_ALLOW);
    filter[n++] = END(SECCOMP_RET_KILL_PROCESS);
    struct sock_fprog program = {n, filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("PARITY_SYNCS");
    out = open(path ? path : "/dev/null", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out < 0 || take_filter()) {
        say("no filter: %s", strerror(errno));
        _exit(REFUSED);
    }
}
