/* Capabilities by the kernel's own calls: sets of 64 bits as two words, see capabilities(7). */
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/sandbox.h"

static int bounding_drop(bool keep_net_raw, struct error *err)
{
    for (int capability = 0; capability <= CAP_LAST_CAP; capability++) {
        if (keep_net_raw && capability == CAP_NET_RAW)
            continue;
        /* Without CAP_SETPCAP the bounding set stays; an unprivileged process cannot use it then either,
         * since no_new_privs is set. Unknown to an older kernel: EINVAL. */
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EPERM && errno != EINVAL)
            return error_set(err, -EIO, "dropping capability %d from the bounding set failed: %s", capability,
                             strerror(errno));
    }
    return 0;
}

int sandbox_capabilities(bool keep_net_raw, struct error *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    uint32_t kept = keep_net_raw ? 1U << CAP_NET_RAW : 0;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set(err, -EIO, "no_new_privs cannot be set: %s", strerror(errno));
    int result = bounding_drop(keep_net_raw, err);
    if (result < 0)
        return result;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
        return error_set(err, -EIO, "ambient capabilities cannot be cleared: %s", strerror(errno));
    if (syscall(SYS_capget, &header, data) < 0)
        return error_set(err, -EIO, "capabilities cannot be read: %s", strerror(errno));
    kept &= data[0].permitted;
    /* The service manager may have left nothing to drop, and forbidden the call. */
    if (data[0].permitted == kept && data[1].permitted == 0 && (data[0].inheritable & ~kept) == 0 &&
        data[1].inheritable == 0)
        return 0;
    memset(data, 0, sizeof data);
    data[0].permitted = kept;
    data[0].effective = kept;
    if (syscall(SYS_capset, &header, data) < 0)
        return error_set(err, -EPERM, "capabilities cannot be dropped: %s", strerror(errno));
    memset(data, 0xff, sizeof data);
    if (syscall(SYS_capget, &header, data) < 0 || data[0].permitted != kept || data[1].permitted != 0)
        return error_set(err, -EIO, "capabilities are still held after dropping them");
    return 0;
}
