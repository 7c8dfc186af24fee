/* What Swift cannot call of Linux and glibc: GNU-only names and variadic system calls. No logic. */
#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "clinux_btrfs.h"
#include "clinux_confine.h"
#include "clinux_facts.h"
#include "clinux_files.h"
#include "clinux_idmap.h"
#include "clinux_inject.h"
#include "clinux_instances.h"
#include "clinux_mappings.h"
#include "clinux_memory.h"
#include "clinux_scan.h"
#include "clinux_packet.h"
#include "clinux_service.h"

/* Starts `file` (searched in PATH) with the descriptors of `pairs` (source, number in the child)
 * and no
 * others, default signals, an empty mask; with any `places` in a root directory that has only these
 * (godwit_confined). Returns 0 and the pid, or an errno. */
int godwit_spawn(
    pid_t *pid, const char *file, char *const argv[], char *const envp[], const char *directory,
    const int *pairs, size_t count, int new_session, const struct godwit_place *places,
    size_t place_count);

/* pipe2(2), close-on-exec: 0, or -1 and errno. */
int godwit_pipe(int ends[2]);
/* socketpair(2) of local streams, close-on-exec, each with a buffer of that many bytes: 0, or -1 and
 * errno. */
int godwit_socket_pair(int ends[2], int buffer);

/* pidfd_open(2), close-on-exec; -1 and errno. */
int godwit_pidfd_open(pid_t pid);
/* pidfd_send_signal(2). */
int godwit_pidfd_send_signal(int pidfd, int signal);
/* waitid(2) for a pidfd without WNOHANG: 0 and `si_code`, `si_status`, or an errno. Reaps. */
int godwit_pidfd_wait(int pidfd, int *code, int *status);
/* The same without reaping: 0 once the process has ended, or an errno. */
int godwit_pidfd_await(int pidfd);
/* prctl(PR_SET_CHILD_SUBREAPER). */
int godwit_set_child_subreaper(void);
/* mallopt for large buffers: without it each is mapped and unmapped anew. */
void godwit_keep_large_buffers(void);

#endif
