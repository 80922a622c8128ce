/* Second pass: a melody against a reference, note by note. See `melodysim.align.notes`, which explains
 * the moves; every sum here is made in the order of the kernel there, so that both agree to the bit.
 */

#include "native.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FURTHEST 3
#define NEVER 9999
#define REACH 36
#define WIDTH (2 * REACH + 1)

typedef struct { float repetition, octave, mistuned, different, share, slope, loss, drift; } Costs;

static inline Costs costs_of(const Pair *pair)
{
    const float *c = pair->costs;
    return (Costs){c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]};
}

/* The best way found so far to a pair of notes. */
typedef struct { float score, tempo; int move; } Way;

static inline int64_t reach(int step)
{
    return step < -REACH ? 0 : step > REACH ? WIDTH - 1 : step + REACH;
}

static inline float larger(float a, float b) { return b > a ? b : a; }
static inline float smaller(float a, float b) { return b < a ? b : a; }

/* A move from a pair of notes that belongs to an alignment. */
static inline Way followed(float before, float tempo, float earned, float gain, float lag,
                           const Costs *costs, int move)
{
    const float away = lag - tempo;
    earned += larger(gain - costs->slope * fabsf(away), -costs->loss);
    return (Way){before + earned, tempo + costs->drift * smaller(larger(away, -1.0f), 1.0f), move};
}

static inline void consider(Way *top, float before, float tempo, float earned, float gain, float lag,
                            const Costs *costs, int move)
{
    if (before + earned + gain > top->score) {
        const Way way = followed(before, tempo, earned, gain, lag, costs, move);
        if (way.score > top->score)
            *top = way;
    }
}

/* Fill score and tempo (and move, if it is not NULL); give the best score and where it is.
 *
 * `score` and `tempo` are four rows of `notes + 3`, in turn, behind three columns of nothing. */
static float align(const Pair *pair, int64_t low, int64_t high, float *score, float *tempo, int *steps,
                   int8_t *move, int64_t *end)
{
    const Costs costs = costs_of(pair);
    const int64_t n = pair->notes, m = high - low, width = m + FURTHEST;
    const int16_t *query = pair->query, *reference = pair->pitch + low;
    const float *surprisal = pair->surprisal + low, *timing = pair->timing + low;
    const float *gap_1 = pair->gap + pair->total + low, *gap_2 = gap_1 + pair->total;
    const float *gap_3 = gap_2 + pair->total;
    const float *moves = pair->moves;
    const float *away_1 = pair->displacement + WIDTH, *away_2 = away_1 + WIDTH, *away_3 = away_2 + WIDTH;
    int *step_1 = steps, *step_2 = steps + m, *step_3 = steps + 2 * m, *repeats = steps + 3 * m;
    float best = 0;

    end[0] = end[1] = 0;
    memset(score, 0, (size_t)(4 * width) * sizeof(float));
    memset(tempo, 0, (size_t)(4 * width) * sizeof(float));
    for (int64_t j = 0; j < m; j++) {
        step_1[j] = j >= 1 ? reference[j] - reference[j - 1] : NEVER;
        step_2[j] = j >= 2 ? reference[j] - reference[j - 2] : NEVER;
        step_3[j] = j >= 3 ? reference[j] - reference[j - 3] : NEVER;
        repeats[j] = j > 1 && (reference[j - 1] == reference[j] || reference[j - 1] == reference[j - 2]);
    }
    for (int64_t i = 1; i < n; i++) {
        const int by_1 = query[i] - query[i - 1];
        const int by_2 = i > 1 ? query[i] - query[i - 2] : -NEVER;
        const int by_3 = i > 2 ? query[i] - query[i - 3] : -NEVER;
        const int query_repeats = i > 1 && (query[i - 1] == query[i] || query[i - 1] == query[i - 2]);
        float *row = score + (i & 3) * width, *now = tempo + (i & 3) * width;
        const float *row_1 = score + ((i - 1) & 3) * width, *tempo_1 = tempo + ((i - 1) & 3) * width;
        const float *row_2 = score + ((i - 2) & 3) * width, *tempo_2 = tempo + ((i - 2) & 3) * width;
        const float *row_3 = score + ((i - 3) & 3) * width, *tempo_3 = tempo + ((i - 3) & 3) * width;
        const float lag_1 = pair->query_gap[n + i], lag_2 = pair->query_gap[2 * n + i];
        const float lag_3 = pair->query_gap[3 * n + i], bits = pair->query_bits[i];
        for (int64_t j = 1; j < m; j++) {
            Way top = {0, 0, 0};
            const float said = smaller(surprisal[j], bits), gain = costs.share * timing[j];
            const int to_1 = step_1[j], to_2 = step_2[j], to_3 = step_3[j];
            float before = row_1[j + 2], earned = costs.different;
            const int off = by_1 - to_1;
            int allowed = 1;
            if (off == 0)
                earned = said + moves[5];
            else if (before <= 0)
                allowed = 0;
            else if (off == 12 || off == -12)
                earned = said + costs.octave;
            else if ((off == 1 || off == -1) && by_1 != 0 && to_1 != 0 && (by_1 > 0) == (to_1 > 0))
                earned = costs.mistuned;
            if (allowed && before + earned + gain > 0) {
                const float lag = lag_1 - gap_1[j];
                Way way = {before + earned, lag, 5};
                if (before > 0)
                    way = followed(before, tempo_1[j + 2], earned, gain, lag, &costs, 5);
                if (way.score > top.score)
                    top = way;
            }
            before = row_1[j + 1];
            if (by_1 == to_2 && before > 0)
                consider(&top, before, tempo_1[j + 1],
                         repeats[j] ? away_1[reach(to_2)] + costs.repetition : away_2[reach(to_2)] + moves[6],
                         gain, lag_1 - gap_2[j], &costs, 6);
            before = row_1[j];
            if (by_1 == to_3 && before > 0)
                consider(&top, before, tempo_1[j], away_3[reach(to_3)] + moves[7], gain, lag_1 - gap_3[j],
                         &costs, 7);
            before = row_2[j + 2];
            if (by_2 == to_1 && before > 0)
                consider(&top, before, tempo_2[j + 2],
                         query_repeats ? said + costs.repetition : away_1[reach(to_1)] + moves[9], gain,
                         lag_2 - gap_1[j], &costs, 9);
            before = row_2[j + 1];
            if (by_2 == to_2 && before > 0)
                consider(&top, before, tempo_2[j + 1], away_2[reach(to_2)] + moves[10], gain,
                         lag_2 - gap_2[j], &costs, 10);
            before = row_2[j];
            if (by_2 == to_3 && before > 0)
                consider(&top, before, tempo_2[j], away_3[reach(to_3)] + moves[11], gain,
                         lag_2 - gap_3[j], &costs, 11);
            before = row_3[j + 2];
            if (by_3 == to_1 && before > 0)
                consider(&top, before, tempo_3[j + 2], away_1[reach(to_1)] + moves[13], gain,
                         lag_3 - gap_1[j], &costs, 13);
            before = row_3[j + 1];
            if (by_3 == to_2 && before > 0)
                consider(&top, before, tempo_3[j + 1], away_2[reach(to_2)] + moves[14], gain,
                         lag_3 - gap_2[j], &costs, 14);
            before = row_3[j];
            if (by_3 == to_3 && before > 0)
                consider(&top, before, tempo_3[j], away_3[reach(to_3)] + moves[15], gain,
                         lag_3 - gap_3[j], &costs, 15);
            row[j + 3] = top.score;
            now[j + 3] = top.tempo;
            if (move)
                move[i * m + j] = (int8_t)top.move;
            if (top.score > best) {
                best = top.score;
                end[0] = i, end[1] = j;
            }
        }
    }
    return best;
}

/* ---- Many references: LANES of them side by side. ---- */

#define LANES 16

/* What of the references a cell reads, by note and lane. */
typedef struct {
    int32_t *step_1, *step_2, *step_3;
    float *gap_1, *gap_2, *gap_3, *surprisal, *gain, *away_1, *away_2, *away_3;
    float *shorter; /* earned by two notes of the reference against one of the query */
} Laid;

#define LAID 12

#define NAME(x) x##_plain
#define TARGET
#include "notes_lanes.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define X86 1
#define NAME(x) x##_avx2
#define TARGET __attribute__((target("avx2")))
#include "notes_lanes.h"
#define NAME(x) x##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")))
#include "notes_lanes.h"
#endif

typedef void (*Align)(const Pair *, int64_t, const Laid *, float *, float *, float *);

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
static void lay(const Pair *pair, int64_t low, int64_t m, int64_t longest, int lane, const Laid *laid)
{
    const Costs costs = costs_of(pair);
    const int16_t *pitch = pair->pitch + low;
    const float *displacement = pair->displacement;
    for (int64_t j = 0; j < longest; j++) {
        const int64_t at = j * LANES + lane;
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
        laid->away_1[at] = displacement[WIDTH + reach(step_1)];
        laid->away_2[at] = displacement[2 * WIDTH + reach(step_2)];
        laid->away_3[at] = displacement[3 * WIDTH + reach(step_3)];
        laid->shorter[at] = repeats ? displacement[WIDTH + reach(step_2)] + costs.repetition
                                    : laid->away_2[at] + pair->moves[6];
    }
}

int align_many(const Pair *pair, const int64_t *start, const int64_t *melodies, int64_t count, float *out)
{
    const Align align_lanes = choose();
    int64_t longest = 0;
    for (int64_t k = 0; k < count; k++) {
        const int64_t notes = start[melodies[k] + 1] - start[melodies[k]];
        longest = notes > longest ? notes : longest;
    }
    const size_t column = (size_t)(longest + FURTHEST) * LANES;
    char *block = malloc((LAID + 8) * column * sizeof(float) + 64);
    if (!block)
        return -2;
    float *rooms = (float *)(block + (64 - (uintptr_t)block % 64) % 64);
    float *score = rooms + LAID * column, *tempo = score + 4 * column, best[LANES];
    Laid laid = {(int32_t *)rooms, (int32_t *)(rooms + column), (int32_t *)(rooms + 2 * column),
                 rooms + 3 * column, rooms + 4 * column, rooms + 5 * column, rooms + 6 * column,
                 rooms + 7 * column, rooms + 8 * column, rooms + 9 * column, rooms + 10 * column,
                 rooms + 11 * column};
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
            lay(pair, start[one], notes, m, lane, &laid);
        }
        align_lanes(pair, m, &laid, score, tempo, best);
        for (int64_t lane = 0; lane < some; lane++)
            out[k + lane] = best[lane];
    }
    free(block);
    return 0;
}

/* Room for a reference of some notes: score, tempo and steps one after the other. */
static float *room(int64_t notes)
{
    return malloc((size_t)(8 * (notes + FURTHEST)) * sizeof(float) + (size_t)(4 * notes) * sizeof(int));
}

int align_one(const Pair *pair, int64_t low, int64_t high, int8_t *move, double *best, int64_t *end)
{
    float *score = room(high - low);
    if (!score)
        return -2;
    float *tempo = score + 4 * (high - low + FURTHEST);
    *best = align(pair, low, high, score, tempo, (int *)(tempo + 4 * (high - low + FURTHEST)), move, end);
    free(score);
    return 0;
}
