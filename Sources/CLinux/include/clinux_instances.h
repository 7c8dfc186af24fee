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

/* Opens a raw packet socket (close-on-exec) in the network namespace of the process and comes back
 * to
 * the thread's own; returns the descriptor, or minus an errno. */
int godwit_packet_socket_of(pid_t pid);
/* Whether the interface, in the socket's namespace, can transmit (IFF_RUNNING): 1, 0 or minus
 * errno. */
int godwit_packet_ready(int socket, const char *interface);
/* Sends one whole Ethernet frame out of the interface: 0 or an errno. */
int godwit_packet_send(int socket, const char *interface, const uint8_t *frame, size_t length);

/* Reaps children of this process, whichever end first, until `pid` has ended: 0 and its `si_code`,
 * `si_status`, or an errno. */
int godwit_reap_until(pid_t pid, int *code, int *status);

#endif
