#include "daemon/exit_status.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sysexits.h>

static const struct {
    int code;
    int status;
} table[] = {
    {0, EXIT_SUCCESS},     {-ENOENT, EX_NOINPUT},     {-ENOTDIR, EX_NOINPUT},
    {-EISDIR, EX_NOINPUT}, {-EBADMSG, EX_DATAERR},    {-EPROTONOSUPPORT, EX_DATAERR},
    {-EINVAL, EX_USAGE},   {-ENODEV, EX_UNAVAILABLE}, {-EACCES, EX_NOPERM},
    {-EPERM, EX_NOPERM},   {-EIO, EX_IOERR},          {-ENOSPC, EX_IOERR},
    {-EDQUOT, EX_IOERR},   {-EFBIG, EX_IOERR},        {-EPIPE, EX_IOERR},
    {-EROFS, EX_IOERR},    {-ETIMEDOUT, EX_IOERR},
};

int exit_status(int code)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].code == code)
            return table[i].status;
    }
    return EX_SOFTWARE;
}
