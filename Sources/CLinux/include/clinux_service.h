/* The service manager. */
#ifndef CLINUX_SERVICE_H
#define CLINUX_SERVICE_H

/* sd_notify(3) without libsystemd: sends `state` to the socket at `path`; 0 or an errno. */
int godwit_notify(const char *path, const char *state);

#endif
