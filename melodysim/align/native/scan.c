/* First pass: one melody against every reference at once. See `melodysim.align.scan`.
 *
 * One body, `scan_lanes.h`, over 8-bit vectors of 16, 32 or 64 lanes; the processor is asked at run
 * time which of them it can. `lookup` fetches bytes from a table of 64 by symbol.
 */

#include "native.h"

#include <stdlib.h>
#include <string.h>

#define NOWHERE 127 /* a sum that equals none of the query's */
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

#if defined(__x86_64__) || defined(_M_X64)
#define X86 1
#include <immintrin.h>
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#define FOR_SET(set)
#else
#define FOR_SET(set) __attribute__((target(set)))
#endif
#elif defined(__aarch64__) || defined(_M_ARM64)
#define ARM 1
#include <arm_neon.h>
#endif

#ifdef X86
/* ---- SSE4.1 ---- */
#define NAME(x) JOIN(x, _sse41)
#define TARGET FOR_SET("sse4.1")
#define V 16
typedef struct { __m128i part[4]; } Index_sse41;

static void TARGET prepare_sse41(Index_sse41 *index, __m128i symbols)
{
    /* pshufb gives 0 where the high bit is set: each part holds what is inside its 16 entries. */
    for (int k = 0; k < 4; k++) {
        __m128i within = _mm_sub_epi8(symbols, _mm_set1_epi8((char)(16 * k)));
        index->part[k] = _mm_adds_epu8(within, _mm_set1_epi8(0x70));
    }
}

static __m128i TARGET find_sse41(const uint8_t *table, const Index_sse41 *index)
{
    __m128i found = _mm_setzero_si128();
    for (int k = 0; k < 4; k++) {
        __m128i entries = _mm_loadu_si128((const __m128i *)(table + 16 * k));
        found = _mm_or_si128(found, _mm_shuffle_epi8(entries, index->part[k]));
    }
    return found;
}

#define vec __m128i
#define fill(x) _mm_set1_epi8((char)(x))
#define load(p) _mm_loadu_si128((const __m128i *)(p))
#define store(p, x) _mm_storeu_si128((__m128i *)(p), x)
#define add_i8 _mm_add_epi8
#define adds_i8 _mm_adds_epi8
#define sub_i8 _mm_sub_epi8
#define subs_u8 _mm_subs_epu8
#define max_i8 _mm_max_epi8
#define max_u8 _mm_max_epu8
#define if_equal(a, b, x) _mm_and_si128(_mm_cmpeq_epi8(a, b), x)
#define max_if_equal(m, a, b, x) _mm_max_epu8(m, if_equal(a, b, x))
#define where_equal(a, b, x, y) _mm_blendv_epi8(y, x, _mm_cmpeq_epi8(a, b))
#include "scan_lanes.h"

/* ---- AVX2 ---- */
#define NAME(x) JOIN(x, _avx2)
#define TARGET FOR_SET("avx2")
#define V 32
typedef struct { __m256i part[4]; } Index_avx2;

static void TARGET prepare_avx2(Index_avx2 *index, __m256i symbols)
{
    for (int k = 0; k < 4; k++) {
        __m256i within = _mm256_sub_epi8(symbols, _mm256_set1_epi8((char)(16 * k)));
        index->part[k] = _mm256_adds_epu8(within, _mm256_set1_epi8(0x70));
    }
}

static __m256i TARGET find_avx2(const uint8_t *table, const Index_avx2 *index)
{
    __m256i found = _mm256_setzero_si256();
    for (int k = 0; k < 4; k++) {
        __m128i entries = _mm_loadu_si128((const __m128i *)(table + 16 * k));
        __m256i both = _mm256_broadcastsi128_si256(entries);
        found = _mm256_or_si256(found, _mm256_shuffle_epi8(both, index->part[k]));
    }
    return found;
}

#define vec __m256i
#define fill(x) _mm256_set1_epi8((char)(x))
#define load(p) _mm256_loadu_si256((const __m256i *)(p))
#define store(p, x) _mm256_storeu_si256((__m256i *)(p), x)
#define add_i8 _mm256_add_epi8
#define adds_i8 _mm256_adds_epi8
#define sub_i8 _mm256_sub_epi8
#define subs_u8 _mm256_subs_epu8
#define max_i8 _mm256_max_epi8
#define max_u8 _mm256_max_epu8
#define if_equal(a, b, x) _mm256_and_si256(_mm256_cmpeq_epi8(a, b), x)
#define max_if_equal(m, a, b, x) _mm256_max_epu8(m, if_equal(a, b, x))
#define where_equal(a, b, x, y) _mm256_blendv_epi8(y, x, _mm256_cmpeq_epi8(a, b))
#include "scan_lanes.h"

/* ---- AVX-512 with bytes ---- */
#define NAME(x) JOIN(x, _avx512)
#define TARGET FOR_SET("avx512f,avx512bw")
#define V 64
typedef struct { __m512i part[4]; } Index_avx512;

static void TARGET prepare_avx512(Index_avx512 *index, __m512i symbols)
{
    for (int k = 0; k < 4; k++) {
        __m512i within = _mm512_sub_epi8(symbols, _mm512_set1_epi8((char)(16 * k)));
        index->part[k] = _mm512_adds_epu8(within, _mm512_set1_epi8(0x70));
    }
}

static __m512i TARGET find_avx512(const uint8_t *table, const Index_avx512 *index)
{
    __m512i found = _mm512_setzero_si512();
    for (int k = 0; k < 4; k++) {
        __m128i entries = _mm_loadu_si128((const __m128i *)(table + 16 * k));
        __m512i all = _mm512_broadcast_i32x4(entries);
        found = _mm512_or_si512(found, _mm512_shuffle_epi8(all, index->part[k]));
    }
    return found;
}

#define vec __m512i
#define fill(x) _mm512_set1_epi8((char)(x))
#define load(p) _mm512_loadu_si512((const void *)(p))
#define store(p, x) _mm512_storeu_si512((void *)(p), x)
#define add_i8 _mm512_add_epi8
#define adds_i8 _mm512_adds_epi8
#define sub_i8 _mm512_sub_epi8
#define subs_u8 _mm512_subs_epu8
#define max_i8 _mm512_max_epi8
#define max_u8 _mm512_max_epu8
#define if_equal(a, b, x) _mm512_maskz_mov_epi8(_mm512_cmpeq_epi8_mask(a, b), x)
#define max_if_equal(m, a, b, x) _mm512_mask_max_epu8(m, _mm512_cmpeq_epi8_mask(a, b), m, x)
#define where_equal(a, b, x, y) _mm512_mask_blend_epi8(_mm512_cmpeq_epi8_mask(a, b), y, x)
#include "scan_lanes.h"
#endif

#ifdef ARM
/* ---- NEON: part of every 64-bit ARM processor ---- */
#define NAME(x) JOIN(x, _neon)
#define TARGET
#define V 16
typedef struct { uint8x16_t symbols; } Index_neon;

static void prepare_neon(Index_neon *index, uint8x16_t symbols) { index->symbols = symbols; }

static uint8x16_t find_neon(const uint8_t *table, const Index_neon *index)
{
    return vqtbl4q_u8(vld1q_u8_x4(table), index->symbols);
}

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
#include "scan_lanes.h"
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
    uint8_t *aligned = scratch + (64 - (uintptr_t)scratch % 64) % 64;
    for (int64_t k = 0; k < count; k++) {
        const int64_t first = begin[blocks[k]], rows = begin[blocks[k] + 1] - first;
        for (int64_t lane = 0; lane < lanes; lane += set->lanes)
            set->scan(query, interval + first * lanes + lane, ratio + first * lanes + lane, rows, lanes,
                      aligned, best + k * lanes + lane);
    }
    free(scratch);
    return 0;
}
