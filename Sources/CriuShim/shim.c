/* Preloaded into CRIU. While CRIU dumps, pages that Godwit carries itself look as if they were
 * not there, so that its images hold everything but them. While it restores lazily, tasks in a user
 * namespace get their userfaultfd too, and nothing runs before our page server has agreed.
 *
 * The pages stand in the file that GODWIT_HIDDEN_PAGES names, one range a line, `PID START END`: a
 * decimal pid as CRIU knows the process, hexadecimal addresses, the end excluded; sorted by pid and
 * start, and apart from each other. Anything wrong with the file ends CRIU: with half of the ranges
 * it would leave out pages that nobody carries.
 *
 * The directory that GODWIT_MAPPINGS names holds files named after pids, each with what CRIU would read
 * in that process's smaps, for which the kernel looks at every page.
 *
 * Such a dump leaves the instance's files alone where it can, so that they may travel beside it: CRIU's
 * temporary mount points go to /dev/shm instead of /tmp. Where it cannot, it sets the first byte of the
 * file that GODWIT_TOUCHED names to 1: hard links to deleted files that are still open are files of the
 * instance.
 *
 * The file that GODWIT_EXPIRED names gets a line `THREAD SIGNAL CODE TIMER`, all decimal, for every
 * signal of a timer that waits for a thread when CRIU leaves it. CRIU has read the timers some
 * milliseconds after the signals, and what ran out in between stands in none of its images. It gets
 * a line `timerfd PLACE` for each timerfd that has run out by then: the kernel shows one that is
 * overdue, but whose interrupt has not come yet, like one that was never set. The place is among
 * all timerfds in the order in which CRIU writes them, from 0 on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#define INTERPOSED __attribute__((visibility("default")))

struct hidden { unsigned long pid, start, end; };

/* As in linux/fs.h of 6.7 and newer, which Debian 12's headers lack. */
struct page_region { uint64_t start, end, categories; };
struct scan {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN _IOWR('f', 16, struct scan)
enum { page_is_present = 1 << 3, page_is_swapped = 1 << 4 };

/* CRIU's word to the page server, and the answer that ours gives. */
static const uint32_t restore_finished = 0x52535446;
static const char agreed = 'y';

/* What the environment said; CRIU passes it to nobody. */
static const char *hidden_path, *mappings_path, *mark_path, *expired_path,
    *hold_directory;
static struct hidden *ranges;
static size_t range_count;
/* Where it stands what smaps would say, see GODWIT_MAPPINGS. */
static int mappings_directory = -1;
static int is_restoring;
/* Shared with the processes that CRIU forks, in whichever mount namespace they are. */
static volatile char *touched;
static int expired = -1;

typedef long real_syscall(long, long, long, long, long, long, long);
typedef int real_ioctl(int, unsigned long, ...);
typedef ssize_t real_send(int, const void *, size_t, int);
typedef long real_ptrace(long, long, void *, void *);

/* The C library's function behind one of ours. */
static void *behind(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

static long call(long number, long a, long b, long c, long d, long e) {
    static real_syscall *real;
    if (!real) real = (real_syscall *)behind("syscall");
    return real(number, a, b, c, d, e, 0);
}

static int control(int descriptor, unsigned long request, void *argument) {
    static real_ioctl *real;
    if (!real) real = (real_ioctl *)behind("ioctl");
    return real(descriptor, request, argument);
}

static void fail(const char *what) {
    dprintf(2, "godwit: the hidden pages of this dump: %s\n", what);
    _exit(113);
}

static char *whole_file(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) < 0) fail("the file cannot be opened");
    char *text = malloc((size_t)status.st_size + 1);
    if (!text) fail("no memory");
    for (off_t done = 0; done < status.st_size;) {
        ssize_t count = read(file, text + done, (size_t)(status.st_size - done));
        if (count <= 0) fail("the file cannot be read");
        done += count;
    }
    text[status.st_size] = 0;
    close(file);
    return text;
}

static unsigned long number(char **at, int base, char end) {
    char *rest;
    errno = 0;
    unsigned long value = strtoul(*at, &rest, base);
    if (errno || rest == *at || *rest != end) fail("a line is not `PID START END`");
    *at = rest + 1;
    return value;
}

static void read_ranges(const char *path) {
    char *text = whole_file(path);
    size_t lines = 0;
    for (char *at = text; *at; at++) lines += *at == '\n';
    ranges = malloc((lines + 1) * sizeof *ranges);
    if (!ranges) fail("no memory");
    for (char *at = text; *at;) {
        struct hidden range;
        range.pid = number(&at, 10, ' ');
        range.start = number(&at, 16, ' ');
        range.end = number(&at, 16, '\n');
        struct hidden *last = range_count ? &ranges[range_count - 1] : NULL;
        if (range.start >= range.end) fail("a range is empty");
        if (last && (range.pid < last->pid || (range.pid == last->pid && range.start < last->end)))
            fail("the ranges are not in order");
        ranges[range_count++] = range;
    }
    free(text);
}

static void share_mark(const char *path) {
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, 1)) fail("the mark cannot be made");
    void *mark = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mark == MAP_FAILED) fail("the mark cannot be mapped");
    touched = mark;
    close(file);
}

/* Connects to a socket by its name in a directory: the whole path may be longer than an address, and
 * a task that is being restored has no way to it. */
static int connect_in(int directory, const char *name) {
    int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int link = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, name, sizeof address.sun_path - 1);
    int is_there = 0;
    if (here >= 0 && link >= 0 && !fchdir(directory)) {
        is_there = !connect(link, (struct sockaddr *)&address, sizeof address);
        /* A task restored in a wrong directory would be worse than none. */
        if (fchdir(here)) abort();
    }
    if (here >= 0) close(here);
    if (link >= 0 && !is_there) close(link);
    return is_there ? link : -1;
}

static void hold(void) {
    int directory = open(hold_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int link = directory >= 0 ? connect_in(directory, "held") : -1;
    char answer = 0;
    if (link < 0 || recv(link, &answer, 1, MSG_WAITALL) != 1 || answer != agreed) _exit(113);
    close(link);
    close(directory);
}

/* From here on it counts. */
static void begin(void) {
    if (hold_directory) hold();
    if (hidden_path) read_ranges(hidden_path);
    if (mappings_path)
        mappings_directory = open(mappings_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (mark_path) share_mark(mark_path);
    if (expired_path)
        expired = open(expired_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    hold_directory = hidden_path = mappings_path = mark_path = expired_path = NULL;
}

static const char *taken(const char *name) {
    const char *value = getenv(name);
    char *copy = value ? strdup(value) : NULL;
    unsetenv(name);
    return copy;
}

/* Does something in CRIU alone, neither in runc nor in what CRIU starts. */
__attribute__((constructor)) static void load(void) {
    if (strcmp(program_invocation_short_name, "criu")) return;
    hidden_path = taken("GODWIT_HIDDEN_PAGES");
    mappings_path = taken("GODWIT_MAPPINGS");
    mark_path = taken("GODWIT_TOUCHED");
    expired_path = taken("GODWIT_EXPIRED");
    hold_directory = taken("GODWIT_HOLD");
    is_restoring = getenv("GODWIT_LAZY_RESTORE") != NULL;
    unsetenv("GODWIT_LAZY_RESTORE");
    unsetenv("LD_PRELOAD");
    if (!hold_directory) begin();
}

/* CRIU sets its alarm right before it freezes, with everything prepared. */
INTERPOSED unsigned alarm(unsigned seconds) {
    static unsigned (*real)(unsigned);
    if (!real) real = (unsigned (*)(unsigned))behind("alarm");
    if (!is_restoring) begin();
    return real(seconds);
}

/* CRIU asks, twice, for the connections that its own network namespace tracks, and the kernel looks
 * through the table of all namespaces, 11 ms each time. An instance has no packet filter that would
 * track any. What it asks for becomes a question to which the kernel answers "done". */
INTERPOSED ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags) {
    enum { connections = NFNL_SUBSYS_CTNETLINK << 8 | 1 /* IPCTNL_MSG_CT_GET */ };
    struct { struct nlmsghdr head; struct nfgenmsg body; } asked;
    struct iovec part = {&asked, sizeof asked};
    struct msghdr other = *message;
    if (touched && message->msg_iovlen == 1 && message->msg_iov->iov_len == sizeof asked) {
        memcpy(&asked, message->msg_iov->iov_base, sizeof asked);
        if (asked.head.nlmsg_type == connections && asked.head.nlmsg_flags & NLM_F_DUMP) {
            asked.head.nlmsg_type = NLMSG_NOOP;
            asked.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
            other.msg_iov = &part;
        }
    }
    return call(SYS_sendmsg, descriptor, (long)&other, flags, 0, 0);
}

/* Whether standard input is a file that gzip has written. */
static int is_packed(void) {
    unsigned char mark[2] = {0};
    long place = call(SYS_lseek, 0, 0, SEEK_CUR, 0, 0);
    return call(SYS_pread64, 0, (long)mark, sizeof mark, place < 0 ? 0 : place, 0) == 2 &&
           mark[0] == 0x1f && mark[1] == 0x8b;
}

/* CRIU has tar pack each tmpfs with gzip, whose start takes longer than the few nodes of a /dev. */
INTERPOSED int execvp(const char *file, char *const words[]) {
    static int (*real)(const char *, char *const[]);
    if (!real) real = (int (*)(const char *, char *const[]))behind("execvp");
    int count = 0, kept = 0;
    while (words[count]) count++;
    if (strcmp(file, "tar") || !(touched || (is_restoring && !is_packed())))
        return real(file, words);
    char *others[count + 1];
    for (int i = 0; i < count; i++)
        if (strcmp(words[i], "--gzip")) others[kept++] = words[i];
    others[kept] = NULL;
    return real(file, others);
}

/* As the owner of /dev/shm: in a user namespace's own filesystem the host's root can make nothing. */
static char *make_shared(char *template, char *(*real)(char *)) {
    struct stat status;
    if (stat("/dev/shm", &status)) return NULL;
    int group = setfsgid(status.st_gid), user = setfsuid(status.st_uid);
    char *made = real(template);
    setfsuid((uid_t)user);
    setfsgid((gid_t)group);
    return made;
}

/* In the instance's mount namespace CRIU gives this `/tmp/cr-tmpfs.XXXXXX` and longer ones. */
INTERPOSED char *mkdtemp(char *template) {
    static char *(*real)(char *);
    static const char other[] = "/dev/shm/.XXXXXX";
    if (!real) real = (char *(*)(char *))behind("mkdtemp");
    if (!touched) return real(template);
    char shared[sizeof other];
    memcpy(shared, other, sizeof other);
    if (strlen(template) >= strlen(other) && make_shared(shared, real))
        return strcpy(template, shared);
    *touched = 1;
    return real(template);
}

INTERPOSED int linkat(int from, const char *path, int to, const char *other, int flags) {
    if (touched) *touched = 1;
    return (int)call(SYS_linkat, from, (long)path, to, (long)other, flags);
}

/* The process whose file `name` below /proc the descriptor is ("" for its directory); 0 if it is another
 * file. */
static unsigned long owner(int descriptor, const char *name) {
    char link[40], target[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length <= 0) return 0;
    target[length] = 0;
    size_t rest = strlen(name);
    if ((size_t)length < rest || strcmp(target + length - rest, name)) return 0;
    target[(size_t)length - rest] = 0;
    char *end, *last = strrchr(target, '/');
    unsigned long pid = last ? strtoul(last + 1, &end, 10) : 0;
    return pid && !*end ? pid : 0;
}

/* What is known of the mappings of the process whose directory is open; -1 if nothing is. */
static int known_mappings(int directory) {
    char name[24];
    unsigned long pid = owner(directory, "");
    if (!pid || mappings_directory < 0) return -1;
    snprintf(name, sizeof name, "%lu", pid);
    return (int)call(SYS_openat, mappings_directory, (long)name, O_RDONLY | O_CLOEXEC, 0, 0);
}

/* The first range that ends after `address` in `pid`, or that belongs to a later one. */
static const struct hidden *find(unsigned long pid, uint64_t address) {
    size_t low = 0, high = range_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct hidden *range = &ranges[middle];
        if (range->pid < pid || (range->pid == pid && range->end <= address))
            low = middle + 1;
        else
            high = middle;
    }
    return ranges + low;
}

static int belongs(const struct hidden *range, unsigned long pid) {
    return range < ranges + range_count && range->pid == pid;
}

/* Scans only what lies between the hidden ranges. */
static int scan_visible(int descriptor, unsigned long pid, struct scan *whole) {
    struct scan part = *whole;
    uint64_t count = 0;
    uint64_t at = whole->start;
    while (at < whole->end) {
        const struct hidden *next = find(pid, at);
        int is_last = !belongs(next, pid) || next->start >= whole->end;
        if (!is_last && next->start <= at) {
            at = next->end;
            continue;
        }
        if (count == whole->vec_len) break;
        part.start = at;
        part.end = is_last ? whole->end : next->start;
        part.vec = whole->vec + count * sizeof(struct page_region);
        part.vec_len = whole->vec_len - count;
        int found = control(descriptor, SCAN, &part);
        if (found < 0) return found;
        count += (uint64_t)found;
        at = part.walk_end;
        if (part.walk_end < part.end) break;
    }
    whole->walk_end = at < whole->end ? at : whole->end;
    return (int)count;
}

INTERPOSED int ioctl(int descriptor, unsigned long request, ...) {
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (range_count && request == SCAN) {
        struct scan *scan = argument;
        unsigned long pid = owner(descriptor, "/pagemap");
        /* A search for guard pages alone still finds those in hidden ranges. */
        if (pid && scan->return_mask & (page_is_present | page_is_swapped) && !scan->max_pages)
            return scan_visible(descriptor, pid, scan);
    }
    return control(descriptor, request, argument);
}

/* For kernels before 6.7: eight bytes a page, zero for a page that is not there. */
INTERPOSED ssize_t pread64(int descriptor, void *buffer, size_t size, off64_t offset) {
    ssize_t count = call(SYS_pread64, descriptor, (long)buffer, (long)size, offset, 0);
    if (count <= 0 || !range_count) return count;
    unsigned long pid = owner(descriptor, "/pagemap");
    if (!pid) return count;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t first = (uint64_t)offset / 8, end = first + (uint64_t)count / 8;
    const struct hidden *range = find(pid, first * page);
    for (; belongs(range, pid) && range->start < end * page; range++) {
        uint64_t low = range->start / page < first ? first : range->start / page;
        uint64_t high = range->end / page > end ? end : range->end / page;
        memset((char *)buffer + (low - first) * 8, 0, (high - low) * 8);
    }
    return count;
}

/* The directory of CRIU's images, as this process has it open. */
static int image_directory = -1;

/* The timerfds of this dump, as copies of what CRIU has of them. */
static int timerfds[256];
static unsigned timerfd_count;

/* CRIU asks for a timerfd by its own descriptor, and right afterwards writes it into its image. */
static void keep_timerfd(int directory, const char *path) {
    struct itimerspec left;
    int descriptor = atoi(path + strlen("fdinfo/"));
    int is_own = owner(directory, "") == (unsigned long)getpid();
    if (!is_own || timerfd_gettime(descriptor, &left)) return;
    if (timerfd_count < sizeof timerfds / sizeof *timerfds)
        timerfds[timerfd_count++] = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
}

INTERPOSED int openat64(int directory, const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(list, mode_t) : 0;
    va_end(list);
    size_t length = strlen(path);
    if (!is_restoring && !strcmp(path, "smaps")) {
        int known = known_mappings(directory);
        if (known >= 0) return known;
    }
    if (expired >= 0 && !strncmp(path, "fdinfo/", strlen("fdinfo/")))
        keep_timerfd(directory, path);
    if (is_restoring && length > 4 && path[0] != '/' && !strcmp(path + length - 4, ".img")) {
        begin();
        image_directory = directory;
    }
    return (int)call(SYS_openat, directory, (long)path, flags | O_LARGEFILE, mode, 0);
}

static int receive_descriptor(int from) {
    char byte;
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } space;
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &space,
        .msg_controllen = sizeof space};
    if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1) return -1;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (!head || head->cmsg_type != SCM_RIGHTS) return -1;
    int descriptor;
    memcpy(&descriptor, CMSG_DATA(head), sizeof descriptor);
    return descriptor;
}

/* The userfaultfd device, from who listens beside the images: this process can neither see nor open
 * its node, and has no other way to the host left. */
static int device(void) {
    int link = connect_in(image_directory, "userfaultfd.socket");
    int result = link >= 0 ? receive_descriptor(link) : -1;
    if (link >= 0) close(link);
    return result;
}

/* userfaultfd(2) wants CAP_SYS_PTRACE on the host, which a task in a user namespace has not; the
 * device gives the same to whoever holds it. */
static long new_userfaultfd(long flags) {
    long result = call(SYS_userfaultfd, flags, 0, 0, 0, 0);
    if (result >= 0 || errno != EPERM || image_directory < 0) return result;
    int from = device();
    if (from < 0) {
        errno = EPERM;
        return -1;
    }
    result = control(from, _IO(0xAA, 0), (void *)flags);
    int error = errno;
    close(from);
    errno = error;
    return result;
}

/* Under another name here, because unistd.h declares it with an ellipsis. */
INTERPOSED long interposed_syscall(
    long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");

long interposed_syscall(long number, long a, long b, long c, long d, long e, long f) {
    static real_syscall *real;
    if (number == SYS_userfaultfd && is_restoring) return new_userfaultfd(a);
    if (!real) real = (real_syscall *)behind("syscall");
    return real(number, a, b, c, d, e, f);
}

/* CRIU says that all tasks stand, caught and not yet running: they run if the server agrees. */
INTERPOSED ssize_t send(int descriptor, const void *bytes, size_t size, int flags) {
    static real_send *real;
    if (!real) real = (real_send *)behind("send");
    ssize_t count = real(descriptor, bytes, size, flags);
    if (!is_restoring || count != sizeof restore_finished ||
        memcmp(bytes, &restore_finished, sizeof restore_finished))
        return count;
    char answer = 0;
    if (recv(descriptor, &answer, 1, MSG_WAITALL) == 1 && answer == agreed) return count;
    errno = ECANCELED;
    return -1;
}

static void note_expired(real_ptrace *real, long thread, unsigned queue) {
    siginfo_t found[32];
    enum { room = sizeof found / sizeof *found };
    struct __ptrace_peeksiginfo_args part = {.off = 0, .flags = queue, .nr = room};
    for (long count = room; count == room; part.off += room) {
        count = real(PTRACE_PEEKSIGINFO, thread, &part, found);
        for (long i = 0; i < count; i++) {
            const siginfo_t *signal = &found[i];
            /* SI_KERNEL: of setitimer(2), which has no number. */
            if (signal->si_code == SI_TIMER ||
                (signal->si_code == SI_KERNEL && signal->si_signo == SIGALRM))
                dprintf(expired, "%ld %d %d %d\n", thread, signal->si_signo, signal->si_code,
                        signal->si_code == SI_TIMER ? signal->si_timerid : 0);
        }
    }
}

static void note_timerfds(void) {
    for (unsigned place = 0; place < timerfd_count; place++) {
        struct pollfd timer = {.fd = timerfds[place], .events = POLLIN};
        if (poll(&timer, 1, 0) == 1) dprintf(expired, "timerfd %u\n", place);
        close(timer.fd);
    }
    timerfd_count = 0;
}

/* Under another name here, because sys/ptrace.h declares it with an ellipsis. */
INTERPOSED long interposed_ptrace(
    long request, long thread, void *address, void *data) __asm__("ptrace");

long interposed_ptrace(long request, long thread, void *address, void *data) {
    static real_ptrace *real;
    if (!real) real = (real_ptrace *)behind("ptrace");
    if (request == PTRACE_DETACH && expired >= 0) {
        note_timerfds();
        note_expired(real, thread, 0);
        note_expired(real, thread, PTRACE_PEEKSIGINFO_SHARED);
    }
    return real(request, thread, address, data);
}
