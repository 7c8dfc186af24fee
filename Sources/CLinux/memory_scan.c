#define _GNU_SOURCE
#include "clinux_scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* include/uapi/linux/userfaultfd.h of Linux 6.4 and 6.7 */
#define FEATURE_WP_UNPOPULATED (UINT64_C(1) << 13)
#define FEATURE_WP_ASYNC (UINT64_C(1) << 15)

/* include/uapi/linux/fs.h of Linux 6.7 */
struct scan_argument {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN _IOWR('f', 16, struct scan_argument)
enum { scan_protect = 1, scan_check_protection = 2 };
_Static_assert(sizeof(struct scan_argument) == 96, "the kernel's size of pm_scan_arg");

int godwit_write_protection_begin(int userfaultfd) {
    struct uffdio_api api = {
        .api = UFFD_API, .features = FEATURE_WP_ASYNC | FEATURE_WP_UNPOPULATED};
    return ioctl(userfaultfd, UFFDIO_API, &api) < 0 ? errno : 0;
}

int godwit_write_protection_add(int userfaultfd, uint64_t start, uint64_t end) {
    struct uffdio_register registration = {
        .range = {start, end - start}, .mode = UFFDIO_REGISTER_MODE_WP};
    struct uffdio_writeprotect open_range = {.range = {start, end - start}, .mode = 0};
    if (ioctl(userfaultfd, UFFDIO_REGISTER, &registration) < 0) {
        int error = errno;
        /* The kernel says so of an address space that has gone, too; other calls are clearer. */
        if (error == ENOMEM && ioctl(userfaultfd, UFFDIO_WRITEPROTECT, &open_range) < 0 &&
            errno == ESRCH)
            error = ESRCH;
        return error;
    }
    return 0;
}

int godwit_write_protection_open(int userfaultfd, uint64_t start, uint64_t end) {
    struct uffdio_writeprotect range = {.range = {start, end - start}, .mode = 0};
    return ioctl(userfaultfd, UFFDIO_WRITEPROTECT, &range) < 0 ? errno : 0;
}

int godwit_write_protection_remove(int userfaultfd, uint64_t start, uint64_t end) {
    struct uffdio_range range = {start, end - start};
    return ioctl(userfaultfd, UFFDIO_UNREGISTER, &range) < 0 ? errno : 0;
}

/* Linux 6.15 knows guard pages as a category; older kernels refuse the number. */
static uint64_t guard_category(void) {
    static int known = -1;
    int knows = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (knows < 0) {
        int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
        struct scan_argument argument = {
            .size = sizeof argument, .category_inverted = godwit_page_guard,
            .category_mask = godwit_page_guard};
        knows = pagemap >= 0 && ioctl(pagemap, SCAN, &argument) >= 0;
        if (pagemap >= 0) close(pagemap);
        __atomic_store_n(&known, knows, __ATOMIC_RELAXED);
    }
    return knows ? godwit_page_guard : 0;
}

int godwit_page_scan(
    int pagemap, uint64_t *at, uint64_t end, uint64_t wanted, int protect,
    struct godwit_page_region *regions, size_t count) {
    /* Whether a page is a file's is not asked: it costs a look at each page's own structure, ten
     * times the rest, and in anonymous memory there is none. */
    uint64_t unwanted = godwit_page_zero | guard_category();
    struct scan_argument argument = {
        .size = sizeof argument, .flags = protect ? scan_protect | scan_check_protection : 0,
        .start = *at, .end = end, .vec = (uint64_t)(uintptr_t)regions, .vec_len = count,
        .category_inverted = unwanted, .category_mask = unwanted,
        .category_anyof_mask = godwit_page_present | godwit_page_swapped, .return_mask = wanted};
    int found = ioctl(pagemap, SCAN, &argument);
    if (found < 0) return -errno;
    *at = argument.walk_end;
    return found;
}

int godwit_shares_memory(pid_t one, pid_t other) {
    long result = syscall(SYS_kcmp, one, other, KCMP_VM, 0, 0);
    return result < 0 ? -errno : result == 0;
}

int godwit_has_page_scan(void) {
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (pagemap < 0) return 0;
    struct scan_argument argument = {.size = sizeof argument};
    int has = ioctl(pagemap, SCAN, &argument) >= 0;
    close(pagemap);
    return has;
}

static int is_soft_dirty(int pagemap, const void *page, size_t size) {
    uint64_t entry = 0;
    off_t offset = (off_t)((uintptr_t)page / size * sizeof entry);
    if (pread(pagemap, &entry, sizeof entry, offset) != sizeof entry) return -1;
    return (int)(entry >> 55 & 1);
}

int godwit_has_soft_dirty(void) {
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    volatile char *page =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return 0;
    *page = 1;
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    int clear = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    int has = 0;
    if (pagemap >= 0 && clear >= 0 && write(clear, "4", 1) == 1) {
        int before = is_soft_dirty(pagemap, (void *)page, size);
        *page = 2;
        has = before == 0 && is_soft_dirty(pagemap, (void *)page, size) == 1;
    }
    if (pagemap >= 0) close(pagemap);
    if (clear >= 0) close(clear);
    munmap((void *)page, size);
    return has;
}

int godwit_find_direct_writer(pid_t pid) {
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/fdinfo", pid);
    DIR *directory = opendir(path);
    int found = -1;
    for (struct dirent *entry; directory && found < 0 && (entry = readdir(directory));) {
        if (entry->d_name[0] == '.') continue;
        int file = openat(dirfd(directory), entry->d_name, O_RDONLY | O_CLOEXEC);
        if (file < 0) continue;
        ssize_t length = read(file, text, sizeof text - 1);
        close(file);
        if (length <= 0) continue;
        text[length] = 0;
        const char *flags = strstr(text, "flags:");
        int is_direct = flags && (strtoul(flags + 6, NULL, 8) & O_DIRECT);
        if (!is_direct && !strstr(text, "\nSqMask:")) continue;
        snprintf(path, sizeof path, "/proc/%d/fd/%.16s", pid, entry->d_name);
        length = readlink(path, text, sizeof text - 1);
        if (length < 5 || memcmp(text, "pipe:", 5) != 0) found = atoi(entry->d_name);
    }
    if (directory) closedir(directory);
    return found;
}

ssize_t godwit_copy_memory(pid_t pid, uint64_t address, void *into, size_t size) {
    struct iovec local = {into, size}, remote = {(void *)(uintptr_t)address, size};
    ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);
    return got < 0 ? -errno : got;
}
