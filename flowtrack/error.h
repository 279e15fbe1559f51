/* error.h - how every function below daemon/ reports what went wrong.
 *
 * Functions return 0 on success and a negative errno value on failure. Where the cause cannot be said
 * in a number (a key in a file, a line of an archive, a tensor of a model) the function also takes a
 * `struct error *`, which it fills on failure with one complete sentence fragment that names the file,
 * the line or key, and the reason. Only daemon/ prints it; nobody below logs.
 *
 * The codes in use, and what the program exits with (sysexits):
 *
 *     -ENOENT, -ENOTDIR, -EISDIR   the named input is not there             66 EX_NOINPUT
 *     -EBADMSG                     the input is there and malformed         65 EX_DATAERR
 *     -EINVAL                      the caller asked for something that      64 EX_USAGE, or
 *                                  cannot be (option, configuration key)    78 EX_CONFIG
 *     -ENODEV                      a device or engine is not available      69 EX_UNAVAILABLE
 *     -EACCES, -EPERM              not allowed                              77 EX_NOPERM
 *     -EIO, -ENOSPC                reading or writing failed                74 EX_IOERR
 *     -ENOMEM and anything else                                             70 EX_SOFTWARE
 *
 * An output parameter is set on success and not touched on failure.
 */
#ifndef FLOWTRACK_ERROR_H
#define FLOWTRACK_ERROR_H

enum { ERROR_TEXT_MAX = 512 };

struct error {
    int code;                  /* negative errno value, 0: no error */
    char text[ERROR_TEXT_MAX]; /* "FILE:LINE: reason", no newline at the end */
};

/* Fill an error.
 *
 * err: may be NULL, then only the code is passed on. An error already set is replaced.
 * code: negative errno value.
 * format: printf format of the sentence; cut at ERROR_TEXT_MAX.
 *
 * Return: code, so that a failing function ends with `return error_set(...)`.
 */
int error_set(struct error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Put a context in front of the text of an error that is already set ("FILE: " and the like).
 *
 * Return: err->code.
 */
int error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
