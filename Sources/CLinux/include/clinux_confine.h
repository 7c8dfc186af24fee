/* Programs in a root directory of their own. */
#ifndef CLINUX_CONFINE_H
#define CLINUX_CONFINE_H

#include <stddef.h>

/* What of the host is seen there, and under which name (relative). A link is the same link there, a
 * mount below it is not seen. Set-user-id programs have no effect, devices in directories neither. */
struct godwit_place {
    const char *source;
    const char *name;
    int writable;
    /* No error if there is nothing of that name on the host. */
    int optional;
};

/* Runs `body` in a thread whose root directory, in a mount namespace of its own, has these places and
 * nothing else; programs that it starts inherit that. Returns what `body` does, or an errno. Needs
 * Linux 5.12, root, and a root directory that is a mount (pivot_root(2)). */
int godwit_confined(
    const struct godwit_place *places, size_t count, int (*body)(void *), void *argument);

#endif
