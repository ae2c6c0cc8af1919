/* Frames straight to sockets: one pass over all that a tick has, without Python and without the GIL. */
#include "framing/codec.h"

#ifdef _WIN32

void fc_send_all(fc_sending *all, Py_ssize_t n) {
    (void)all;
    (void)n; /* what is asked for is left to the caller */
}

#else

#include <sys/socket.h>
#include <sys/types.h>

#ifdef MSG_NOSIGNAL
#define FC_SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#else
#define FC_SEND_FLAGS MSG_DONTWAIT /* Python ignores SIGPIPE */
#endif

void fc_send_all(fc_sending *all, Py_ssize_t n) {
    for (Py_ssize_t i = 0; i < n; i++) {
        ssize_t sent = send(all[i].fd, all[i].data, (size_t)all[i].size, FC_SEND_FLAGS);
        all[i].sent = sent > 0 ? (Py_ssize_t)sent : 0; /* whatever is wrong, who writes the rest will hear of it */
    }
}

#endif
