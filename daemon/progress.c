#include "daemon/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/number_text.h"

enum { DRAW_EVERY = 100000 }; /* microseconds */

void progress_init(struct progress *progress)
{
    progress->shown = isatty(STDERR_FILENO) == 1;
    progress->started = clock_monotonic();
    progress->drawn = progress->started;
}

double progress_seconds(const struct progress *progress)
{
    return (double)(clock_monotonic() - progress->started + 1) / 1e6;
}

/* "3 % done, 1:05 left" */
static void remaining(char *text, size_t size, double seconds, uint64_t done, uint64_t total)
{
    double share = (double)done / (double)total;
    uint64_t left;

    if (share <= 0 || share > 1) {
        text[0] = '\0';
        return;
    }
    left = (uint64_t)(seconds / share - seconds);
    (void)snprintf(text, size, ", %.0f %% done, %" PRIu64 ":%02u left", share * 100, left / 60,
                   (unsigned)(left % 60));
}

void progress_update(struct progress *progress, const char *what, uint64_t n, uint64_t done, uint64_t total,
                     const char *detail)
{
    char line[160], count[NUMBER_TEXT_MAX], rate[NUMBER_TEXT_MAX], left[64] = "";
    int64_t now;
    double seconds;

    if (!progress->shown)
        return;
    now = clock_monotonic();
    if (now - progress->drawn < DRAW_EVERY)
        return;
    progress->drawn = now;
    seconds = (double)(now - progress->started) / 1e6;
    if (total > 0)
        remaining(left, sizeof left, seconds, done, total);
    (void)snprintf(line, sizeof line, "%s %s, %s/s%s%s%s", number_text(count, n), what,
                   number_text(rate, (uint64_t)((double)n / seconds)), left, detail != NULL ? ", " : "",
                   detail != NULL ? detail : "");
    log_status(line);
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        log_status(NULL);
}
