/* Network interfaces and foreign processes: what instances need of Linux beyond `clinux.h`. No
 * logic. */
#ifndef CLINUX_INSTANCES_H
#define CLINUX_INSTANCES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Sets or clears IFF_UP of an interface of this network namespace: 0 or an errno. */
int godwit_interface_set_up(const char *name, int up);
/* Whether an interface exists here: 1, 0, or minus an errno. */
int godwit_interface_exists(const char *name);

/* Reaps children of this process, whichever end first, until `pid` has ended: 0 and its `si_code`,
 * `si_status`, or an errno. */
int godwit_reap_until(pid_t pid, int *code, int *status);

#endif
