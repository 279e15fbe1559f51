/* episode.h - something that goes wrong again and again, told twice: when it begins, and when it is over.
 *
 *     quiet --bad--> open --bad--> open --nothing bad for a while--> quiet
 *
 * What comes and goes many times a second is so one episode.
 */
#ifndef DAEMON_EPISODE_H
#define DAEMON_EPISODE_H

#include <stdbool.h>
#include <stdint.h>

/* Begin with zeros. */
struct episode {
    bool open;
    uint64_t count; /* what went wrong in this episode, or in the last one */
    int64_t bad_at; /* when something went wrong last */
};

/* Something went wrong.
 *
 * now: microseconds of any clock that goes forward, here and below.
 * n: how many times.
 *
 * Return: whether an episode begins with it.
 */
static inline bool episode_bad(struct episode *episode, int64_t now, uint64_t n)
{
    bool begins = !episode->open;

    episode->count = begins ? n : episode->count + n;
    episode->open = true;
    episode->bad_at = now;
    return begins;
}

/* Look whether an episode is over.
 *
 * quiet: microseconds for which nothing must have gone wrong.
 *
 * Return: whether one ends now.
 */
static inline bool episode_over(struct episode *episode, int64_t now, int64_t quiet)
{
    bool ends = episode->open && now - episode->bad_at >= quiet;

    episode->open = episode->open && !ends;
    return ends;
}

#endif
