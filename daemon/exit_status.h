/* exit_status.h - what the program exits with: sysexits(3) numbers from error codes.
 *
 * error.h lists the codes; this is the one place that turns them into numbers for the shell and for systemd
 * (RestartPreventExitStatus=).
 */
#ifndef DAEMON_EXIT_STATUS_H
#define DAEMON_EXIT_STATUS_H

/* The exit status for a result.
 *
 * code: 0 or a negative errno value.
 *
 * Return: 0, or a number of sysexits(3); EX_SOFTWARE for what has no row.
 */
int exit_status(int code);

#endif
