/* What loops that are compiled once for every instruction set need: see `prefilter.c` and `listening.c`. */

#ifndef MELODYSIM_INSTRUCTION_SETS_H
#define MELODYSIM_INSTRUCTION_SETS_H

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

#endif
