/* Listening to a recording for references: see `melodysim.align.salience_dtw`, which explains the method,
 * and `melodysim.kernels.numba_salience`, which has the same functions. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "instruction_sets.h"
#include "native.h"

#define OUTSIDE -10000
#define WIDEST (LINE / 2) /* entries of the longest vector */

/* What a note of a reference reads, each at the first place: scores less what it costs to enter, by the
 * length that it may have; its cumulative evidence; the score that it is passed over from; and the
 * cumulative evidence of the next note, less that it begins. */
typedef struct {
    const int16_t *shortest, *shorter, *longer, *longest, *total, *before, *entry;
    int16_t unusual, skip;
} Note;

static int16_t larger(int16_t a, int16_t b) { return a > b ? a : b; }

/* 16 bits that wrap, as the vectors' do: signed overflow is not defined in C. */
static int16_t plus(int16_t a, int16_t b) { return (int16_t)(uint16_t)((uint16_t)a + (uint16_t)b); }
static int16_t minus(int16_t a, int16_t b) { return (int16_t)(uint16_t)((uint16_t)a - (uint16_t)b); }

static int16_t advance_one(const Note *note, int64_t x, int16_t *next)
{
    int16_t entered = minus(larger(note->shortest[x], note->longest[x]), note->unusual);
    entered = larger(entered, larger(note->shorter[x], note->longer[x]));
    const int16_t sung = plus(entered, note->total[x]);
    const int16_t value = larger(larger(sung, minus(note->before[x], note->skip)), 0);
    next[x] = minus(value, note->entry[x]);
    return value;
}

#ifdef X86
#define NAME(x) JOIN(x, _sse41)
#define TARGET FOR_SET("sse4.1")
#define V 8
#define vec __m128i
#define fill(x) _mm_set1_epi16(x)
#define load(p) _mm_loadu_si128((const __m128i *)(p))
#define store(p, x) _mm_storeu_si128((__m128i *)(p), x)
#define add _mm_add_epi16
#define sub _mm_sub_epi16
#define max _mm_max_epi16
#include "listening_lanes.h"

#define NAME(x) JOIN(x, _avx2)
#define TARGET FOR_SET("avx2")
#define V 16
#define vec __m256i
#define fill(x) _mm256_set1_epi16(x)
#define load(p) _mm256_loadu_si256((const __m256i *)(p))
#define store(p, x) _mm256_storeu_si256((__m256i *)(p), x)
#define add _mm256_add_epi16
#define sub _mm256_sub_epi16
#define max _mm256_max_epi16
#include "listening_lanes.h"

#define NAME(x) JOIN(x, _avx512)
#define TARGET FOR_SET("avx512f,avx512bw")
#define V 32
#define vec __m512i
#define fill(x) _mm512_set1_epi16(x)
#define load(p) _mm512_loadu_si512((const void *)(p))
#define store(p, x) _mm512_storeu_si512((void *)(p), x)
#define add _mm512_add_epi16
#define sub _mm512_sub_epi16
#define max _mm512_max_epi16
#include "listening_lanes.h"
#endif

#ifdef ARM
#define NAME(x) JOIN(x, _neon)
#define TARGET
#define V 8
#define vec int16x8_t
#define fill(x) vdupq_n_s16(x)
#define load(p) vld1q_s16(p)
#define store(p, x) vst1q_s16(p, x)
#define add vaddq_s16
#define sub vsubq_s16
#define max vmaxq_s16
#include "listening_lanes.h"
#endif

typedef void (*Advance)(const Note *, int64_t, int16_t *, int16_t *, int16_t *);

static Advance choose(const char *name)
{
#ifdef X86
    if (!strcmp(name, "avx512"))
        return advance_avx512;
    if (!strcmp(name, "avx2"))
        return advance_avx2;
    if (!strcmp(name, "sse4.1"))
        return advance_sse41;
#endif
#ifdef ARM
    if (!strcmp(name, "neon"))
        return advance_neon;
#endif
    (void)name;
    return NULL;
}

static int64_t rounded(double steps) { return (int64_t)floor(steps + 0.5); }

/* Four lengths in steps that a note may take, and the nominal one. */
static void lengths(const Recording *heard, double nominal, int64_t *found)
{
    int64_t first = rounded(nominal * heard->shortest), last = rounded(nominal * heard->longest);
    first = first < 1 ? 1 : first;
    last = last < first ? first : last;
    int64_t usual = rounded(nominal);
    usual = usual < first ? first : usual;
    const int64_t third = last - first;
    found[0] = first;
    found[1] = first + (third + 1) / 3;
    found[2] = first + (2 * third + 1) / 3;
    found[3] = last;
    found[4] = usual > last ? last : usual;
}

/* How a note of a reference is aligned at one tempo: how many steps back its four lengths and its nominal
 * one lie, and the level of its evidence: columns for longer notes stand after those for shorter ones. */
typedef struct { int64_t back[5], level; } Plan;

static Plan plan_of(const Recording *heard, double gap, double stretch)
{
    Plan plan = {.level = 0};
    const double nominal = gap * stretch < heard->cap ? gap * stretch : heard->cap;
    lengths(heard, nominal, plan.back);
    for (int64_t k = 0; k < heard->levels - 1; k++)
        plan.level += nominal > heard->longer[k];
    return plan;
}

/* The fastest loop that this processor has, and what it works on: the recording's evidence, laid out so
 * that times before 0 and columns begin at a line of the cache; scores of one transposition before and after
 * a note; the plans of a reference's notes. */
typedef struct {
    Advance advance;
    int64_t size, pad, width;
    void *all;
    int16_t *block, *entry, *work;
    Plan *plans;
} Means;

static void give_up(Means *means)
{
    free(means->all);
    free(means->plans);
}

/* Get them, for references of so many notes, with scores that lie outside before time 0; 0, or an error as
 * of `listen_many`. */
static int get(Means *means, const Recording *heard, const char *name, int64_t notes)
{
    const char *set = scan_set(name);
    means->advance = set ? choose(set) : NULL;
    if (!means->advance)
        return -1;
    const int64_t rows = heard->levels * heard->columns;
    means->size = heard->width - heard->pad;
    means->pad = whole(heard->pad, WIDEST), means->width = means->pad + whole(means->size, WIDEST);
    means->all = calloc((size_t)((2 * rows + 4) * means->width + WIDEST), sizeof(int16_t));
    means->plans = malloc((size_t)(notes + 1) * sizeof(Plan));
    if (!means->all || !means->plans) {
        give_up(means);
        return -2;
    }
    means->block = at_line(means->all);
    means->entry = means->block + rows * means->width;
    means->work = means->entry + rows * means->width;
    for (int64_t k = 0; k < rows; k++) {
        const int64_t there = k * means->width + means->pad, here = k * heard->width + heard->pad;
        memcpy(means->block + there, heard->block + here, (size_t)means->size * sizeof(int16_t));
        memcpy(means->entry + there, heard->entry + here, (size_t)means->size * sizeof(int16_t));
    }
    for (int64_t x = 0; x < 4 * means->width; x++)
        means->work[x] = OUTSIDE;
    return 0;
}

static int64_t most_notes(const int64_t *start, const int64_t *melodies, int64_t count)
{
    int64_t most = 0;
    for (int64_t k = 0; k < count; k++) {
        const int64_t notes = start[melodies[k] + 1] - start[melodies[k]];
        most = notes > most ? notes : most;
    }
    return most;
}

/* The column of a note's evidence in the block, at one transposition. */
static int64_t column_of(const Recording *heard, const Plan *plan, int16_t row, int64_t lane)
{
    return heard->columns * plan->level + heard->column[row * heard->lanes + lane];
}

/* The best local alignment of one reference at one tempo: its score. `best_lane`, unless NULL, is set to
 * its transposition, the first of those that score as much. One transposition after the other, so that
 * all that a note reads and writes stays in the processor's nearest cache. */
static int16_t listen(const Recording *heard, const Means *means, const int16_t *row, const double *gap,
                      int64_t notes, double stretch, int32_t *best_lane)
{
    int16_t *work = means->work;
    Plan *plans = means->plans;
    const int64_t width = means->width, pad = means->pad, size = means->size;
    int16_t *score[2] = {work, work + width}, *free_[2] = {work + 2 * width, work + 3 * width};
    for (int64_t j = 0; j < notes; j++)
        plans[j] = plan_of(heard, gap[j], stretch);
    int16_t best = 0;
    for (int64_t lane = 0; lane < heard->lanes; lane++) {
        int64_t place = width * column_of(heard, plans, row[0], lane) + pad;
        memset(score[0] + pad, 0, (size_t)size * sizeof(int16_t));
        for (int64_t x = 0; x < size; x++)
            free_[0][pad + x] = minus(0, means->entry[place + x]);
        int16_t highest[WIDEST] = {0};
        for (int64_t j = 0; j < notes; j++) {
            const int16_t *now = free_[j % 2] + pad, *before = score[j % 2] + pad;
            const int64_t *back = plans[j].back, mine = place;
            if (j + 1 < notes)
                place = width * column_of(heard, plans + j + 1, row[j + 1], lane) + pad;
            const Note note = {
                now - back[0], now - back[1], now - back[2], now - back[3], means->block + mine,
                before - back[4], means->entry + place, heard->unusual, heard->skip,
            };
            means->advance(&note, size, score[(j + 1) % 2] + pad, free_[(j + 1) % 2] + pad, highest);
        }
        int16_t reached = 0;
        for (int k = 0; k < WIDEST; k++)
            reached = larger(reached, highest[k]);
        if (reached > best) {
            best = reached;
            if (best_lane)
                *best_lane = (int32_t)lane;
        }
    }
    return best;
}

int listen_many(const Recording *heard, const char *name, const int16_t *row, const double *gap,
                const int64_t *start, const int64_t *melodies, int64_t count, const double *median,
                const double *tempi, int64_t tempos, int32_t *out)
{
    Means means;
    const int status = get(&means, heard, name, most_notes(start, melodies, count));
    if (status < 0)
        return status;
    for (int64_t k = 0; k < count; k++) {
        const int64_t m = melodies[k], low = start[m], notes = start[m + 1] - low;
        for (int64_t tempo = 0; notes && tempo < tempos; tempo++) {
            const int16_t best = listen(heard, &means, row + low, gap + low, notes,
                                        tempi[tempo] / median[m], NULL);
            if (best > out[2 * k]) {
                out[2 * k] = best;
                out[2 * k + 1] = (int32_t)tempo;
            }
        }
    }
    give_up(&means);
    return 0;
}

int transpositions(const Recording *heard, const char *name, const int16_t *row, const double *gap,
                   const int64_t *start, const int64_t *melodies, int64_t count, const double *median,
                   const double *tempi, int32_t *out)
{
    Means means;
    const int status = get(&means, heard, name, most_notes(start, melodies, count));
    if (status < 0)
        return status;
    for (int64_t k = 0; k < count; k++) {
        const int64_t m = melodies[k], low = start[m], notes = start[m + 1] - low;
        out[k] = 0;
        if (notes)
            listen(heard, &means, row + low, gap + low, notes, tempi[k] / median[m], &out[k]);
    }
    give_up(&means);
    return 0;
}
