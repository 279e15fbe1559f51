#include "daemon/thread.h"

#include <signal.h>
#include <string.h>

int thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *context, struct error *err)
{
    sigset_t all, before;
    int r;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(thread, NULL, run, context);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r < 0)
        return error_set(err, r, "cannot start the thread \"%s\": %s", name, strerror(-r));
    (void)pthread_setname_np(*thread, name);
    return 0;
}
