/* What /proc says of the process into which a call is injected. */
#define _GNU_SOURCE
#include "inject_internal.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { path_size = 80, chunk_size = 64 << 10, overlap = 16 };
/* Of all mapped code, so much is searched; libc lies in the first few MiB of libraries. */
static const uint64_t searched_code = 256 << 20;

static ssize_t read_file(const char *path, char *text, size_t size) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t length = read(file, text, size - 1);
    close(file);
    if (length >= 0) text[length] = 0;
    return length;
}

uint64_t inject_status_number(pid_t process, pid_t thread, const char *name, int base) {
    char path[path_size], text[8192], line[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/status", process, thread);
    if (read_file(path, text, sizeof text) <= 0) return 0;
    snprintf(line, sizeof line, "\n%s", name);
    const char *found = strstr(text, line);
    return found ? strtoull(found + strlen(line), NULL, base) : 0;
}

char inject_state(pid_t process, pid_t thread) {
    char path[path_size], text[1024];
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", process, thread);
    if (read_file(path, text, sizeof text) <= 0) return 'X';
    const char *end = strrchr(text, ')');
    return end && end[1] == ' ' ? end[2] : 'X';
}

static int ended(char state) { return state == 'Z' || state == 'X' || state == 'x'; }

static pid_t other_thread(pid_t process) {
    char path[path_size];
    snprintf(path, sizeof path, "/proc/%d/task", process);
    DIR *directory = opendir(path);
    pid_t found = 0;
    for (struct dirent *entry; directory && !found && (entry = readdir(directory));) {
        pid_t thread = atoi(entry->d_name);
        if (thread > 0 && !ended(inject_state(process, thread))) found = thread;
    }
    if (directory) closedir(directory);
    return found;
}

static int is_32_bit(const struct injection *in) {
    char path[path_size];
    unsigned char header[5] = {0};
    snprintf(path, sizeof path, "/proc/%d/exe", in->process);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, header, sizeof header);
    close(file);
    return length == sizeof header && header[EI_CLASS] == ELFCLASS32;
}

int inject_choose_thread(struct injection *in) {
    in->thread = in->process;
    if (ended(inject_state(in->process, in->process))) in->thread = other_thread(in->process);
    if (!in->thread) return inject_refuse(in, "ended", ESRCH);
    char path[path_size], text[8192];
    snprintf(path, sizeof path, "/proc/%d/task/%d/status", in->process, in->thread);
    if (read_file(path, text, sizeof text) <= 0) return inject_refuse(in, "ended", ESRCH);
    if (inject_status_number(in->process, in->thread, "TracerPid:", 10))
        return inject_refuse(in, "is traced by another process", EBUSY);
    if (!strstr(text, "\nVmSize:")) return inject_refuse(in, "has no memory of its own", EINVAL);
    if (is_32_bit(in)) return inject_refuse(in, "runs 32-bit code", ENOTSUP);
    /* Returning to an address that no call has pushed is a fault there. */
    if (strstr(text, "shstk")) return inject_refuse(in, "uses a shadow stack", ENOTSUP);
    return 0;
}

ssize_t inject_read(const struct injection *in, uint64_t address, void *into, size_t size) {
    struct iovec local = {into, size}, remote = {(void *)(uintptr_t)address, size};
    return process_vm_readv(in->thread, &local, 1, &remote, 1, 0);
}

static void search(struct injection *in, uint64_t start, uint64_t end) {
    uint8_t *bytes = malloc(chunk_size);
    while (bytes && start < end && !inject_arch_has_all(&in->gadgets)) {
        size_t size = end - start < chunk_size ? end - start : chunk_size;
        ssize_t got = inject_read(in, start, bytes, size);
        if (got <= 0) break;
        inject_arch_search(&in->gadgets, bytes, (size_t)got, start);
        if ((size_t)got <= overlap || start + (size_t)got >= end) break;
        start += (size_t)got - overlap;
    }
    free(bytes);
}

/* One line of maps: code is searched, the stack noted. */
static void look_at(struct injection *in, const char *line, uint64_t *left) {
    uint64_t start, end;
    char rights[5];
    if (sscanf(line, "%lx-%lx %4s", &start, &end, rights) != 3) return;
    if (strstr(line, "[stack]")) {
        in->stack_start = start;
        in->stack_end = end;
    }
    /* Above the user's half lies x86-64's emulated vsyscall page. */
    if (rights[0] != 'r' || rights[2] != 'x' || (int64_t)start < 0) return;
    if (end - start > *left) end = start + *left;
    *left -= end - start;
    search(in, start, end);
}

int inject_find_places(struct injection *in) {
    char path[path_size];
    snprintf(path, sizeof path, "/proc/%d/mem", in->thread);
    in->memory = open(path, O_RDWR | O_CLOEXEC);
    if (in->memory < 0) return inject_refuse(in, "hides its memory from this host", errno);
    snprintf(path, sizeof path, "/proc/%d/task/%d/maps", in->process, in->thread);
    FILE *maps = fopen(path, "re");
    if (!maps) return inject_refuse(in, "hides its mappings from this host", errno);
    char *line = NULL;
    size_t size = 0;
    uint64_t left = searched_code;
    while (getline(&line, &size, maps) > 0) look_at(in, line, &left);
    free(line);
    fclose(maps);
    if (!in->stack_start) return inject_refuse(in, "has given up its first stack", ENOTSUP);
    if (!inject_arch_has_all(&in->gadgets))
        return inject_refuse(in, "has no code that could lead it back by itself", ENOTSUP);
    return 0;
}

/* A userfaultfd without UFFDIO_API is of no use to anyone: whoever makes one calls it next. */
static int is_stray(const struct injection *in, const char *name) {
    char path[path_size], text[512];
    snprintf(path, sizeof path, "/proc/%d/task/%d/fd/%.16s", in->process, in->thread, name);
    ssize_t length = readlink(path, text, sizeof text - 1);
    if (length < 0) return 0;
    text[length] = 0;
    if (strcmp(text, "anon_inode:[userfaultfd]") != 0) return 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/fdinfo/%.16s", in->process, in->thread, name);
    if (read_file(path, text, sizeof text) <= 0) return 0;
    const char *features = strstr(text, "\nAPI:\taa:");
    return features && strtoul(features + strlen("\nAPI:\taa:"), NULL, 16) == 0;
}

void inject_find_strays(struct injection *in) {
    char path[path_size];
    snprintf(path, sizeof path, "/proc/%d/task/%d/fd", in->process, in->thread);
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        if (in->stray_count < inject_strays && is_stray(in, entry->d_name))
            in->strays[in->stray_count++] = atoi(entry->d_name);
    if (directory) closedir(directory);
}

int inject_signal_pending(const struct injection *in) {
    uint64_t own = inject_status_number(in->process, in->thread, "SigPnd:", 16);
    uint64_t shared = inject_status_number(in->process, in->thread, "ShdPnd:", 16);
    uint64_t blocked = inject_status_number(in->process, in->thread, "SigBlk:", 16);
    return ((own | shared) & ~blocked) != 0;
}

int inject_uses_seccomp(const struct injection *in) {
    return inject_status_number(in->process, in->thread, "Seccomp:", 10) != 0;
}
