/* What the compiled kernels share. */

#ifndef MELODYSIM_NATIVE_H
#define MELODYSIM_NATIVE_H

#include <stdint.h>

#define LINE 64 /* bytes of a line of the processor's cache, and of the longest vector */

/* Vectors that lie across two lines take twice the time: what is read and written often begins at one. */
static inline void *at_line(void *room)
{
    return (void *)(((uintptr_t)room + LINE - 1) & ~(uintptr_t)(LINE - 1));
}

static inline int64_t whole(int64_t entries, int64_t of) { return (entries + of - 1) / of * of; }

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

/* A block of a recording, as in `melodysim.align.salience_evidence.PitchEvidence`, and the rules by which
 * references are aligned with it; lengths of notes are in steps. */
typedef struct {
    const int16_t *block, *entry;   /* [levels * columns, width]: cumulative evidence; less that of onsets */
    int64_t width, pad, columns;    /* entries a column, those before time 0, columns a level */
    const int16_t *column;          /* [rows, lanes] column of a row at a transposition */
    int64_t rows, lanes, levels;
    const double *longer;           /* [levels - 1] lengths above which the next level counts */
    double cap;                     /* longest nominal length of a note */
    double shortest, longest;       /* shares of it that a note may last */
    int16_t skip, unusual;          /* costs */
} Recording;

int listen_many(const Recording *heard, const char *name, const int16_t *row, const double *gap,
                const int64_t *start, const int64_t *melodies, int64_t count, const double *median,
                const double *tempi, int64_t tempos, int32_t *out);

int transpositions(const Recording *heard, const char *name, const int16_t *row, const double *gap,
                   const int64_t *start, const int64_t *melodies, int64_t count, const double *median,
                   const double *tempi, int32_t *out);

/* A block of a recording, as in `melodysim.align.first_look.Glimpse`. */
typedef struct {
    const uint8_t *heard;           /* [lengths, 24, width]: evidence of a note that ends there, biased */
    int64_t lengths, width;
    const uint8_t *length;          /* [tempi, codes, 3] shortest, usual and longest steps of a note */
    int64_t tempi, codes;
    int bias, skip;                 /* what is added to evidence; cost of a note that is not heard */
} Glimpse;

int first_look(const Glimpse *glimpse, const char *name, const uint8_t *symbol, const int64_t *start,
               int64_t low, int64_t high, uint8_t *out);

/* Costs of a path through pitches: to glide by a bin, to jump, to jump by an octave of so many bins, to
 * begin to sing and to stop. */
typedef struct { double glide, jump, octave, voice, unvoice; int64_t octave_bins; } PathCosts;

int pitch_path(const float *emission, int64_t frames, int64_t bins, const PathCosts *costs, int16_t *path);

#endif
