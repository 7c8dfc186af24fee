/* Watching another process's pages: userfaultfd(2) in asynchronous write-protect mode, PAGEMAP_SCAN
 * and pagemap. The kernel's numbers are ours here: the headers of Debian 12 are older. */
#ifndef CLINUX_SCAN_H
#define CLINUX_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* UFFDIO_API with WP_ASYNC (Linux 6.7) and WP_UNPOPULATED: 0 or an errno. */
int godwit_write_protection_begin(int userfaultfd);
/* UFFDIO_REGISTER in write-protect mode. 0 or an errno: EBUSY if another userfaultfd has the range,
 * ESRCH if the address space is gone. */
int godwit_write_protection_add(int userfaultfd, uint64_t start, uint64_t end);
/* UFFDIO_WRITEPROTECT with mode 0: every page counts as written. 0 or an errno. */
int godwit_write_protection_open(int userfaultfd, uint64_t start, uint64_t end);
/* UFFDIO_UNREGISTER: 0 or an errno. */
int godwit_write_protection_remove(int userfaultfd, uint64_t start, uint64_t end);

struct godwit_page_region {
    uint64_t start, end, categories;
};

enum {
    godwit_page_written = 1 << 1,
    godwit_page_present = 1 << 3,
    godwit_page_swapped = 1 << 4,
    godwit_page_zero = 1 << 5,
    godwit_page_soft_dirty = 1 << 7,
    godwit_page_guard = 1 << 8,
};

/* PAGEMAP_SCAN of the pages that have content: in memory or swapped out, not the shared page of
 * zeros, no guard. Regions are told apart by the categories of `wanted`. With `protect`, written
 * pages are write-protected anew in the same step, and a mapping that is not under asynchronous
 * write-protection is EPERM. Goes from *at to `end`; returns the regions and moves *at, or a negated
 * errno. Where there are many regions the kernel begins again a little before it left off: regions
 * may overlap, and a page counts as written if one of them says so. */
int godwit_page_scan(
    int pagemap, uint64_t *at, uint64_t end, uint64_t wanted, int protect,
    struct godwit_page_region *regions, size_t count);

/* Whether two processes have one address space: 1, 0 or a negated errno. */
int godwit_shares_memory(pid_t one, pid_t other);

/* A descriptor of the process through which devices or the kernel write to its memory past the page
 * tables (O_DIRECT, io_uring), so that no tracker of written pages sees it; -1 if it has none. */
int godwit_find_direct_writer(pid_t pid);

/* process_vm_readv(2) of one range: the bytes, or a negated errno. */
ssize_t godwit_copy_memory(pid_t pid, uint64_t address, void *into, size_t size);

/* What the kernel can do, tried on this process: 1 or 0. */
int godwit_has_page_scan(void);
int godwit_has_soft_dirty(void);

#endif
