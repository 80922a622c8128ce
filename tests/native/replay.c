/* Makes recorded calls of the kernels again, on this processor, and compares what they fill in.
 *
 * Usage: replay CALLS [INSTRUCTION SET]. The file is written by tests/test_other_processors.py: 64-bit
 * words and arrays, so that kernels can be tried where there is no Python. It begins with the number of
 * calls and the ceiling of the first pass. A call is the number of its function, the number of its values,
 * the values (a size in bytes and the bytes; -1 and 8 bytes if it is a number), and what its last array
 * holds in the end. What `align_path` returns stands before that array. */

#include "native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 24

typedef struct { int64_t size; void *bytes; } Value;

static int64_t word(FILE *file)
{
    int64_t value = 0;
    if (fread(&value, sizeof value, 1, file) != 1)
        exit(3);
    return value;
}

static Value value(FILE *file)
{
    Value read;
    read.size = word(file);
    const int64_t bytes = read.size < 0 ? 8 : read.size;
    read.bytes = malloc(bytes ? (size_t)bytes : 1); /* of its own, so that a step beyond it is seen */
    if (!read.bytes || (bytes && fread(read.bytes, (size_t)bytes, 1, file) != 1))
        exit(3);
    return read;
}

/* Instruction sets saturate at different scores of the first pass; who calls them cuts them off. */
static void cut(const Value *v, int64_t ceiling)
{
    uint8_t *scores = v->bytes;
    for (int64_t k = 0; k < v->size; k++)
        scores[k] = scores[k] < ceiling ? scores[k] : (uint8_t)ceiling;
}

static int64_t integer(const Value *v) { return *(const int64_t *)v->bytes; }

static double number(const Value *v) { return *(const double *)v->bytes; }

static Pair pair_of(const Value *v)
{
    return (Pair){v[0].size / 2, v[0].bytes, v[1].bytes, v[2].bytes, v[3].bytes, v[4].size / 2, v[4].bytes,
                  v[5].bytes, v[6].bytes, v[7].bytes, v[8].bytes, v[9].bytes, v[10].bytes, v[11].bytes};
}

static Recording recording_of(const Value *v)
{
    Recording heard;
    heard.block = v[0].bytes, heard.entry = v[1].bytes, heard.pad = integer(v + 2);
    heard.columns = integer(v + 3), heard.column = v[4].bytes, heard.lanes = integer(v + 5);
    heard.cap = number(v + 12), heard.longer = v[13].bytes, heard.shortest = number(v + 14);
    heard.longest = number(v + 15), heard.skip = (int16_t)integer(v + 16);
    heard.unusual = (int16_t)integer(v + 17), heard.levels = v[13].size / 8 + 1;
    heard.width = v[0].size / 2 / (heard.columns * heard.levels);
    heard.rows = v[4].size / 2 / heard.lanes;
    return heard;
}

static int call(int64_t function, const Value *v, const char *set)
{
    if (function == 0) {
        Query q = {v[0].size / 2, v[3].size / 64, v[4].size / 64, v[1].size / 2, v[0].bytes, v[1].bytes,
                   v[2].bytes, v[3].bytes, v[4].bytes, v[5].bytes, v[6].bytes, (int)integer(v + 12),
                   (int)integer(v + 13), (int)integer(v + 14), (int)integer(v + 15), (int)integer(v + 16)};
        return scan_blocks(&q, set, v[7].bytes, v[8].bytes, integer(v + 11), v[9].bytes, v[10].bytes,
                           v[10].size / 8, v[17].bytes);
    }
    if (function == 1) {
        const Pair pair = pair_of(v);
        return align_many(&pair, v[12].bytes, v[13].bytes, v[13].size / 8, v[14].bytes);
    }
    if (function == 2) {
        const Pair pair = pair_of(v);
        const double *answer = v[14].bytes; /* score, and the last note of either */
        double best;
        int64_t end[2];
        const int status = align_one(&pair, integer(v + 12), integer(v + 13), v[15].bytes, &best, end);
        return status || best != answer[0] || (double)end[0] != answer[1] || (double)end[1] != answer[2];
    }
    if (function == 3 || function == 4) {
        const Recording heard = recording_of(v);
        if (function == 3)
            return listen_many(&heard, set, v[6].bytes, v[7].bytes, v[8].bytes, v[9].bytes, v[9].size / 8,
                               v[10].bytes, v[11].bytes, v[11].size / 8, v[18].bytes);
        return transpositions(&heard, set, v[6].bytes, v[7].bytes, v[8].bytes, v[9].bytes, v[9].size / 8,
                              v[10].bytes, v[11].bytes, v[18].bytes);
    }
    if (function == 6) {
        const PathCosts costs = {number(v + 1), number(v + 2), number(v + 3),
                                 number(v + 4), number(v + 5), integer(v + 6)};
        const int64_t frames = v[7].size / 2;
        return pitch_path(v[0].bytes, frames, v[0].size / 4 / frames, &costs, v[7].bytes);
    }
    const int64_t lengths = integer(v + 1), tempi = integer(v + 3);
    const Glimpse glimpse = {v[0].bytes, lengths, v[0].size / (24 * lengths), v[2].bytes, tempi,
                             v[2].size / (3 * tempi), (int)integer(v + 4), (int)integer(v + 5)};
    return first_look(&glimpse, set, v[6].bytes, v[7].bytes, integer(v + 8), integer(v + 9), v[10].bytes);
}

int main(int arguments, char **argument)
{
    FILE *file = arguments > 1 ? fopen(argument[1], "rb") : NULL;
    const char *set = arguments > 2 ? argument[2] : NULL;
    if (!file || !scan_set(set))
        return 2;
    int64_t calls = 0, others = 0;
    const int64_t count = word(file), ceiling = word(file);
    for (; calls < count; calls++) {
        const int64_t function = word(file), values = word(file);
        Value v[MOST];
        if (values > MOST)
            return 3;
        for (int64_t k = 0; k < values; k++)
            v[k] = value(file);
        const Value expected = value(file), out = v[values - 1];
        const int status = call(function, v, set);
        if (function == 0) {
            cut(&out, ceiling);
            cut(&expected, ceiling);
        }
        if (status || memcmp(out.bytes, expected.bytes, (size_t)out.size)) {
            printf("function %d differs\n", (int)function);
            others++;
        }
        for (int64_t k = 0; k < values; k++)
            free(v[k].bytes);
        free(expected.bytes);
    }
    fclose(file);
    printf("%s: %d calls, %d differ\n", scan_set(set), (int)calls, (int)others);
    return others != 0;
}
