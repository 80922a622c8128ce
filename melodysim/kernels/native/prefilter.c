/* First pass: one melody against every reference at once. See `melodysim.align.prefilter`.
 *
 * One body, `prefilter_lanes.h`, over 8-bit vectors of 16, 32 or 64 lanes; the processor is asked at run
 * time which of them it can. `lookup` fetches bytes from a table of 64 by symbol.
 */

#include "instruction_sets.h"
#include "native.h"

#include <stdlib.h>
#include <string.h>

#define NOWHERE 127 /* a sum that equals none of the query's */

#ifdef X86
/* The operations by the prefix of a set's intrinsics; `if_equal` and its kin differ from set to set. */
#define OP(name) JOIN(MM, name)
#define fill(x) OP(_set1_epi8)((char)(x))
#define add_i8 OP(_add_epi8)
#define adds_i8 OP(_adds_epi8)
#define sub_i8 OP(_sub_epi8)
#define subs_u8 OP(_subs_epu8)
#define max_i8 OP(_max_epi8)
#define max_u8 OP(_max_epu8)
#define load(p) OP(JOIN(_loadu_, BITS))((const void *)(p))
#define store(p, x) OP(JOIN(_storeu_, BITS))((void *)(p), x)
#define or_(a, b) OP(JOIN(_or_, BITS))(a, b)
#define masked(a, b, x) OP(JOIN(_and_, BITS))(OP(_cmpeq_epi8)(a, b), x)
#define if_equal masked
#define max_if_equal(m, a, b, x) max_u8(m, masked(a, b, x))
#define where_equal(a, b, x, y) OP(_blendv_epi8)(y, x, OP(_cmpeq_epi8)(a, b))

#define NAME(x) JOIN(x, _sse41)
#define TARGET FOR_SET("sse4.1")
#define V 16
#define MM _mm
#define BITS si128
#define vec __m128i
#define spread(table) (table)
#include "prefilter_lanes.h"

#define NAME(x) JOIN(x, _avx2)
#define TARGET FOR_SET("avx2")
#define V 32
#define MM _mm256
#define BITS si256
#define vec __m256i
#define spread _mm256_broadcastsi128_si256
#include "prefilter_lanes.h"

#undef if_equal
#undef max_if_equal
#undef where_equal
#define equal(a, b) _mm512_cmpeq_epi8_mask(a, b)
#define if_equal(a, b, x) _mm512_maskz_mov_epi8(equal(a, b), x)
#define max_if_equal(m, a, b, x) _mm512_mask_max_epu8(m, equal(a, b), m, x)
#define where_equal(a, b, x, y) _mm512_mask_blend_epi8(equal(a, b), y, x)
#define NAME(x) JOIN(x, _avx512)
#define TARGET FOR_SET("avx512f,avx512bw")
#define V 64
#define MM _mm512
#define BITS si512
#define vec __m512i
#define spread _mm512_broadcast_i32x4
#include "prefilter_lanes.h"
#endif

#ifdef ARM
/* ---- NEON: part of every 64-bit ARM processor ---- */
#define NAME(x) JOIN(x, _neon)
#define TARGET
#define V 16
#define vec uint8x16_t
#define I8(x) vreinterpretq_s8_u8(x)
#define U8(x) vreinterpretq_u8_s8(x)
#define fill(x) vdupq_n_u8((uint8_t)(x))
#define load(p) vld1q_u8(p)
#define store(p, x) vst1q_u8(p, x)
#define add_i8 vaddq_u8
#define adds_i8(a, b) U8(vqaddq_s8(I8(a), I8(b)))
#define sub_i8 vsubq_u8
#define subs_u8 vqsubq_u8
#define max_i8(a, b) U8(vmaxq_s8(I8(a), I8(b)))
#define max_u8 vmaxq_u8
#define if_equal(a, b, x) vandq_u8(vceqq_u8(a, b), x)
#define max_if_equal(m, a, b, x) vmaxq_u8(m, if_equal(a, b, x))
#define where_equal(a, b, x, y) vbslq_u8(vceqq_u8(a, b), x, y)
#include "prefilter_lanes.h"
#endif

typedef void (*Scan)(const Query *, const uint8_t *, const uint8_t *, int64_t, int64_t, uint8_t *,
                     uint8_t *);
typedef struct { const char *name; Scan scan; int lanes; } Set;

static const Set SETS[] = {
#ifdef X86
    {"avx512", scan_avx512, 128},
    {"avx2", scan_avx2, 64},
    {"sse4.1", scan_sse41, 32},
#endif
#ifdef ARM
    {"neon", scan_neon, 32},
#endif
    {NULL, NULL, 0},
};

static int has(const char *name)
{
#if defined(X86) && defined(_MSC_VER) && !defined(__clang__)
    int one[4], seven[4];
    __cpuid(one, 1);
    __cpuidex(seven, 7, 0);
    const int kept = (one[2] >> 27) & 1; /* the system saves wide registers, and which */
    const unsigned long long state = kept ? _xgetbv(0) : 0;
    if (!strcmp(name, "avx512"))
        return (state & 0xe6) == 0xe6 && (seven[1] >> 16 & 1) && (seven[1] >> 30 & 1);
    if (!strcmp(name, "avx2"))
        return (state & 6) == 6 && (seven[1] >> 5 & 1);
    return one[2] >> 19 & 1;
#elif defined(X86)
    if (!strcmp(name, "avx512"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
    if (!strcmp(name, "avx2"))
        return __builtin_cpu_supports("avx2");
    return __builtin_cpu_supports("sse4.1");
#else
    (void)name;
    return 1;
#endif
}

/* The fastest set that this processor has, or the one of that name; NULL where there is none. */
static const Set *choose(const char *name)
{
    for (const Set *set = SETS; set->name; set++)
        if (has(set->name) && (!name || !strcmp(name, set->name)))
            return set;
    return NULL;
}

const char *scan_set(const char *name)
{
    const Set *set = choose(name);
    return set ? set->name : NULL;
}

int scan_blocks(const Query *query, const char *name, const uint8_t *interval, const uint8_t *ratio,
                int64_t lanes, const int64_t *begin, const int64_t *blocks, int64_t count, uint8_t *best)
{
    const Set *set = choose(name);
    if (!set || lanes % set->lanes)
        return -1;
    const int64_t lines = 4 * query->notes + 6 + query->intervals + query->ratios + query->pairs;
    const size_t size = (size_t)(lines * set->lanes);
    uint8_t *scratch = malloc(size + 64);
    if (!scratch)
        return -2;
    uint8_t *aligned = at_line(scratch);
    for (int64_t k = 0; k < count; k++) {
        const int64_t first = begin[blocks[k]], rows = begin[blocks[k] + 1] - first;
        for (int64_t lane = 0; lane < lanes; lane += set->lanes)
            set->scan(query, interval + first * lanes + lane, ratio + first * lanes + lane, rows, lanes,
                      aligned, best + k * lanes + lane);
    }
    free(scratch);
    return 0;
}
