/* What reading the facts of a host needs of glibc beyond what Swift sees. No logic. */
#ifndef CLINUX_FACTS_H
#define CLINUX_FACTS_H

#include <stddef.h>
#include <sys/types.h>

/* getxattr(2): follows links. The size, or -1 and errno. */
ssize_t godwit_getxattr(const char *path, const char *name, void *value, size_t size);

#endif
