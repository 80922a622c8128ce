/* What the compiled kernels share: see `melodysim.align.prefilter` and `melodysim.align.dtw`. */

#ifndef MELODYSIM_NATIVE_H
#define MELODYSIM_NATIVE_H

#include <stdint.h>

/* A query of the first pass. Symbols that occur in it are numbered; `pair` says which interval and
 * which ratio of inter-onset intervals go together at each of its places. */
typedef struct {
    int64_t notes, intervals, ratios, pairs;
    const uint16_t *pair;             /* [notes] */
    const uint16_t *pair_interval;    /* [pairs] */
    const uint16_t *pair_ratio;       /* [pairs] */
    const uint8_t *interval_table;    /* [intervals, 64] scores by symbol of the reference */
    const uint8_t *ratio_table;       /* [ratios, 64] */
    const int8_t *step;               /* [notes] intervals in semitones */
    const int8_t *step2;              /* [notes] their sums with the one before */
    int gap_open, gap_extend, moved;  /* costs */
    int padding, middle;              /* symbols: after a reference's end; of no interval */
} Query;

const char *scan_set(const char *name);
int scan_blocks(const Query *query, const char *name, const uint8_t *interval, const uint8_t *ratio,
                int64_t lanes, const int64_t *begin, const int64_t *blocks, int64_t count,
                uint8_t *best);

/* Melodies end to end, as in `melodysim.align.corpus.Corpus`. */
typedef struct {
    int64_t notes;                          /* of the query */
    const int16_t *query;
    const float *query_gap;                 /* [4, notes] */
    const float *query_bits;
    const float *query_fresh;               /* [notes] */
    int64_t total;                          /* notes of all references */
    const int16_t *pitch;
    const float *gap;                       /* [4, total] */
    const float *surprisal, *timing, *fresh;
    const float *displacement;              /* [4, 73] */
    const float *moves;                     /* [4, 4] */
    const float *costs;                     /* [9] */
} Pair;

int align_many(const Pair *pair, const int64_t *start, const int64_t *melodies, int64_t count,
               float *out);
int align_one(const Pair *pair, int64_t low, int64_t high, int8_t *move, double *best, int64_t *end);

#endif
