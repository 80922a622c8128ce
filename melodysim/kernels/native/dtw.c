/* Second pass: a melody against a reference, note by note. See `melodysim.align.dtw`, which explains
 * the moves; sums are made in the order in which the numba kernel makes them, so that both agree to
 * the bit.
 */

#include "native.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FURTHEST 3
#define NEVER 9999
#define NOWHERE (-INFINITY)
#define SLACK 0.01f
#define REACH 36
#define WIDTH (2 * REACH + 1)

typedef struct {
    float repetition, octave, mistuned, different, share, slope, loss, drift, same_note;
} Costs;

static inline Costs costs_of(const Pair *pair)
{
    const float *c = pair->costs;
    return (Costs){c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8]};
}

static inline int64_t reach(int step)
{
    return step < -REACH ? 0 : step > REACH ? WIDTH - 1 : step + REACH;
}

static inline float larger(float a, float b) { return b > a ? b : a; }
static inline float smaller(float a, float b) { return b < a ? b : a; }

/* ---- Many references: LANES of them side by side. ---- */

#define LANES 16

/* What of the references a cell reads, by note and lane. */
typedef struct {
    int32_t *step_1, *step_2, *step_3;
    float *gap_1, *gap_2, *gap_3, *surprisal, *gain, *away_1, *away_2, *away_3, *fresh;
    float *shorter; /* earned by two notes of the reference against one of the query */
} Laid;

#define LAID 13

/* One reference, with every move. */
#define NAME(x) x##_one
#define TARGET
#define SIDE 1
#define KEEP(good, number) (step = (good) ? (number) : step)
#include "dtw_lanes.h"
#undef KEEP
#undef SIDE

#define KEEP(good, number) ((void)0)
#define SIDE LANES
#define NAME(x) x##_plain
#define TARGET
#include "dtw_lanes.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define X86 1
#define NAME(x) x##_avx2
#define TARGET __attribute__((target("avx2")))
#include "dtw_lanes.h"
#define NAME(x) x##_avx512
#ifdef __clang__ /* which has no such attribute, and would ignore all of it */
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#else
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")))
#endif
#include "dtw_lanes.h"
#endif

typedef void (*Align)(const Pair *, int64_t, const Laid *, float *, float *, float *, int8_t *, int64_t *);

static Align choose(void)
{
#ifdef X86
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return align_lanes_avx512;
    if (__builtin_cpu_supports("avx2"))
        return align_lanes_avx2;
#endif
    return align_lanes_plain;
}

/* Put a reference of m notes into a lane; what follows it matches nothing and says nothing. */
static void lay(const Pair *pair, int64_t low, int64_t m, int64_t longest, int lane, int lanes,
                const Laid *laid)
{
    const Costs costs = costs_of(pair);
    const int16_t *pitch = pair->pitch + low;
    const float *displacement = pair->displacement;
    for (int64_t j = 0; j < longest; j++) {
        const int64_t at = j * lanes + lane;
        const int there = j < m;
        const int step_1 = there && j >= 1 ? pitch[j] - pitch[j - 1] : NEVER;
        const int step_2 = there && j >= 2 ? pitch[j] - pitch[j - 2] : NEVER;
        const int step_3 = there && j >= 3 ? pitch[j] - pitch[j - 3] : NEVER;
        const int repeats =
            there && j > 1 && (pitch[j - 1] == pitch[j] || pitch[j - 1] == pitch[j - 2]);
        laid->step_1[at] = step_1, laid->step_2[at] = step_2, laid->step_3[at] = step_3;
        laid->gap_1[at] = there ? pair->gap[pair->total + low + j] : 0;
        laid->gap_2[at] = there ? pair->gap[2 * pair->total + low + j] : 0;
        laid->gap_3[at] = there ? pair->gap[3 * pair->total + low + j] : 0;
        laid->surprisal[at] = there ? pair->surprisal[low + j] : 0;
        laid->gain[at] = there ? costs.share * pair->timing[low + j] : 0;
        laid->fresh[at] = there ? pair->fresh[low + j] : 0;
        laid->away_1[at] = displacement[WIDTH + reach(step_1)];
        laid->away_2[at] = displacement[2 * WIDTH + reach(step_2)];
        laid->away_3[at] = displacement[3 * WIDTH + reach(step_3)];
        laid->shorter[at] = repeats ? displacement[WIDTH + reach(step_2)] + costs.repetition
                                    : laid->away_2[at] + pair->moves[6];
    }
}

/* What references of up to so many notes, some side by side, are laid out and aligned in. */
typedef struct { char *block; Laid laid; float *score, *tempo; } Room;

static int make_room(Room *room, int64_t notes, int lanes)
{
    const size_t column = (size_t)(notes + FURTHEST) * (size_t)lanes;
    room->block = malloc((LAID + 8) * column * sizeof(float) + 64);
    if (!room->block)
        return -2;
    float *at = at_line(room->block);
    room->laid = (Laid){(int32_t *)at, (int32_t *)(at + column), (int32_t *)(at + 2 * column),
                        at + 3 * column, at + 4 * column, at + 5 * column, at + 6 * column,
                        at + 7 * column, at + 8 * column, at + 9 * column, at + 10 * column,
                        at + 11 * column, at + 12 * column};
    room->score = at + LAID * column, room->tempo = room->score + 4 * column;
    return 0;
}

int align_many(const Pair *pair, const int64_t *start, const int64_t *melodies, int64_t count, float *out)
{
    const Align align_lanes = choose();
    int64_t longest = 0;
    for (int64_t k = 0; k < count; k++) {
        const int64_t notes = start[melodies[k] + 1] - start[melodies[k]];
        longest = notes > longest ? notes : longest;
    }
    Room room;
    if (make_room(&room, longest, LANES))
        return -2;
    float best[LANES];
    for (int64_t k = 0; k < count; k += LANES) {
        const int64_t some = count - k < LANES ? count - k : LANES;
        int64_t m = 0;
        for (int64_t lane = 0; lane < some; lane++) {
            const int64_t notes = start[melodies[k + lane] + 1] - start[melodies[k + lane]];
            m = notes > m ? notes : m;
        }
        for (int lane = 0; lane < LANES; lane++) {
            const int64_t one = lane < some ? melodies[k + lane] : melodies[k];
            const int64_t notes = lane < some ? start[one + 1] - start[one] : 0;
            lay(pair, start[one], notes, m, lane, LANES, &room.laid);
        }
        align_lanes(pair, m, &room.laid, room.score, room.tempo, best, NULL, NULL);
        for (int64_t lane = 0; lane < some; lane++)
            out[k + lane] = best[lane];
    }
    free(room.block);
    return 0;
}

int align_one(const Pair *pair, int64_t low, int64_t high, int8_t *move, double *best, int64_t *end)
{
    Room room;
    float found;
    if (make_room(&room, high - low, 1))
        return -2;
    lay(pair, low, high - low, high - low, 0, 1, &room.laid);
    align_lanes_one(pair, high - low, &room.laid, room.score, room.tempo, &found, move, end);
    *best = found;
    free(room.block);
    return 0;
}
