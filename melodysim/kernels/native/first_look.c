/* The first look at a recording: see `melodysim.align.first_look`, which explains the method, and
 * `melodysim.kernels.numba_salience`, which has the same function. */

#include "instruction_sets.h"
#include "native.h"

#include <stdlib.h>
#include <string.h>

#define LANES 12 /* transpositions */

/* What a note of a reference reads, each at the first place of the first transposition: scores before it by
 * the length that it may have, and what speaks for it over that length, with `bias` added. Transpositions
 * stand `room` entries apart, and `width` entries. */
typedef struct {
    const uint8_t *before[3], *heard[3];
    int64_t room, width;
    int bias, skip;
} Look;

#define add_u8 OP(_adds_epu8)
#define sub_u8 OP(_subs_epu8)
#define max_u8 OP(_max_epu8)
#define fill(x) OP(_set1_epi8)((char)(x))
#define load(p) OP(JOIN(_loadu_, BITS))((const void *)(p))
#define store(p, x) OP(JOIN(_storeu_, BITS))((void *)(p), x)

#ifdef X86
#define NAME(x) JOIN(x, _sse41)
#define TARGET FOR_SET("sse4.1")
#define V 16
#define MM _mm
#define OP(name) JOIN(MM, name)
#define BITS si128
#define vec __m128i
#include "first_look_lanes.h"

#define NAME(x) JOIN(x, _avx2)
#define TARGET FOR_SET("avx2")
#define V 32
#define MM _mm256
#define BITS si256
#define vec __m256i
#include "first_look_lanes.h"

#define NAME(x) JOIN(x, _avx512)
#define TARGET FOR_SET("avx512f,avx512bw")
#define V 64
#define MM _mm512
#define BITS si512
#define vec __m512i
#include "first_look_lanes.h"
#endif

#ifdef ARM
#undef add_u8
#undef sub_u8
#undef max_u8
#undef fill
#undef load
#undef store
#define add_u8 vqaddq_u8
#define sub_u8 vqsubq_u8
#define max_u8 vmaxq_u8
#define fill(x) vdupq_n_u8((uint8_t)(x))
#define load(p) vld1q_u8(p)
#define store(p, x) vst1q_u8(p, x)
#define NAME(x) JOIN(x, _neon)
#define TARGET
#define V 16
#define MM
#define BITS
#define vec uint8x16_t
#include "first_look_lanes.h"
#endif

typedef void (*Advance)(const Look *, uint8_t *, uint8_t *);

static Advance choose(const char *name)
{
#ifdef X86
    if (!strcmp(name, "avx512"))
        return look_avx512;
    if (!strcmp(name, "avx2"))
        return look_avx2;
    if (!strcmp(name, "sse4.1"))
        return look_sse41;
#endif
#ifdef ARM
    if (!strcmp(name, "neon"))
        return look_neon;
#endif
    (void)name;
    return NULL;
}

int first_look(const Glimpse *glimpse, const char *name, const uint8_t *symbol, const int64_t *start,
               int64_t low, int64_t high, uint8_t *out)
{
    const char *set = scan_set(name);
    const Advance advance = set ? choose(set) : NULL;
    if (!advance)
        return -1;
    const int64_t width = glimpse->width, pad = whole(glimpse->lengths, LINE), room = pad + width + LINE;
    const int64_t size = glimpse->lengths * 2 * LANES * width;
    uint8_t *all = calloc((size_t)(3 * LANES * room + size + 2 * LINE), 1);
    if (!all)
        return -2;
    uint8_t *work = at_line(all), *highest = work + 3 * LANES * room, *heard = highest + LINE;
    uint8_t *silence = work + 2 * LANES * room + pad;
    memcpy(heard, glimpse->heard, (size_t)size);
    Look look = {.room = room, .width = width, .bias = glimpse->bias, .skip = glimpse->skip};
    for (int64_t m = low; m < high; m++) {
        memset(highest, 0, LINE);
        for (int64_t tempo = 0; tempo < glimpse->tempi; tempo++) {
            const uint8_t *lengths = glimpse->length + tempo * 3 * glimpse->codes;
            const uint8_t *before = silence;
            for (int64_t j = start[m]; j < start[m + 1]; j++) {
                const int64_t code = symbol[j] / LANES, row = symbol[j] % LANES;
                uint8_t *after = work + (j % 2) * LANES * room + pad;
                for (int k = 0; k < 3; k++) {
                    const int64_t length = lengths[3 * code + k];
                    look.before[k] = before - length;
                    look.heard[k] = heard + ((length - 1) * 2 * LANES + row) * width;
                }
                advance(&look, after, highest);
                before = after;
            }
        }
        uint8_t best = 0;
        for (int k = 0; k < LINE; k++)
            best = highest[k] > best ? highest[k] : best;
        if (best > out[m - low])
            out[m - low] = best;
    }
    free(all);
    return 0;
}
