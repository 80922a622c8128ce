/* The second pass for SIDE references side by side: included once for every instruction set, and once
 * for a single reference.
 *
 * The including file defines NAME, TARGET, SIDE (how many references lie side by side) and KEEP (what
 * becomes of the number of a move). The loop over `lane` has no branches, so that compilers turn it into
 * vector instructions; of one reference alone every move is kept, and what leads nowhere is left early.
 */

#if defined(__clang__)
#define LANES_APART _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define LANES_APART _Pragma("GCC ivdep")
#else
#define LANES_APART __pragma(loop(ivdep))
#endif

/* Take a move where it is allowed and leads to more than what is there.
 *
 * Where nothing is followed the score is NOWHERE, so a move from there leads to less than anything. What
 * a move can lead to at most is only asked of one reference: by lanes it costs as much as it saves. It is
 * asked with some SLACK, as sums are rounded. The tempo that the best move leads to is found last. */
#define TAKE(number, row, tempo, at, worth, gap, lag, steps, by) \
    do { \
        const float from = (row)[(at) + lane]; \
        if (SIDE == 1 && !((steps)[lane] == (by) && from > 0)) \
            break; \
        const float then = (tempo)[(at) + lane], worth_new = (worth), worth_here = fresh * worth_new; \
        const float earned = smaller(worth_new, worth_here); \
        if (SIDE == 1 && !(from + earned + won + SLACK > top)) \
            break; \
        const float away = ((lag) - (gap)[lane]) - then; \
        const float timed = larger(won - slope * fabsf(away), loss); \
        const float total = from + (earned + timed); \
        const int32_t good = ((steps)[lane] == (by)) & (total > top); \
        top = good ? total : top; \
        top_then = good ? then : top_then; \
        top_away = good ? away : top_away; \
        KEEP(good, number); \
    } while (0)

static void TARGET NAME(align_lanes)(const Pair *pair, int64_t m, const Laid *laid, float *score,
                                     float *tempo, float *best, int8_t *move, int64_t *end)
{
    const Costs costs = costs_of(pair);
    const float slope = costs.slope, loss = -costs.loss, drift = costs.drift, octave = costs.octave;
    const float mistuned = costs.mistuned, different = costs.different, repetition = costs.repetition;
    const float *moves = pair->moves;
    const float match = moves[5], over_13 = moves[7], over_21 = moves[9], over_22 = moves[10];
    const float same_note = costs.same_note;
    const float over_23 = moves[11], over_31 = moves[13], over_32 = moves[14], over_33 = moves[15];
    const int64_t n = pair->notes, width = (m + FURTHEST) * SIDE;
    const int16_t *query = pair->query;
    for (int64_t k = 0; k < 4 * width; k++)
        score[k] = NOWHERE;
    memset(tempo, 0, (size_t)(4 * width) * sizeof(float));
    memset(best, 0, SIDE * sizeof(float));
    if (SIDE == 1)
        end[0] = end[1] = 0;
    (void)move, (void)end;
    for (int64_t i = 1; i < n; i++) {
        const int32_t by_1 = query[i] - query[i - 1];
        const int32_t by_2 = i > 1 ? query[i] - query[i - 2] : -NEVER;
        const int32_t by_3 = i > 2 ? query[i] - query[i - 3] : -NEVER;
        const int32_t query_repeats =
            i > 1 && (query[i - 1] == query[i] || query[i - 1] == query[i - 2]) ? -1 : 0;
        const int32_t sign = by_1 > 0 ? 1 : -1, moving = by_1 != 0;
        float *row = score + (i & 3) * width, *now = tempo + (i & 3) * width;
        const float *row_1 = score + ((i - 1) & 3) * width, *tempo_1 = tempo + ((i - 1) & 3) * width;
        const float *row_2 = score + ((i - 2) & 3) * width, *tempo_2 = tempo + ((i - 2) & 3) * width;
        const float *row_3 = score + ((i - 3) & 3) * width, *tempo_3 = tempo + ((i - 3) & 3) * width;
        const float lag_1 = pair->query_gap[n + i], lag_2 = pair->query_gap[2 * n + i];
        const float lag_3 = pair->query_gap[3 * n + i], bits = pair->query_bits[i];
        const float query_fresh = pair->query_fresh[i];
        const float kept = moving ? match : same_note;
        for (int64_t j = 1; j < m; j++) {
            const int64_t at_1 = (j + 2) * SIDE, at_2 = (j + 1) * SIDE, at_3 = j * SIDE;
            const float *surprisal = laid->surprisal + at_3, *gain = laid->gain + at_3;
            const float *gap_1 = laid->gap_1 + at_3, *gap_2 = laid->gap_2 + at_3;
            const float *reference_fresh = laid->fresh + at_3;
            const float *gap_3 = laid->gap_3 + at_3, *shorter = laid->shorter + at_3;
            const int32_t *to_1 = laid->step_1 + at_3, *to_2 = laid->step_2 + at_3;
            const int32_t *to_3 = laid->step_3 + at_3;
            const float *away_1 = laid->away_1 + at_3, *away_2 = laid->away_2 + at_3;
            const float *away_3 = laid->away_3 + at_3;
            float *score_here = row + at_1 + SIDE, *tempo_here = now + at_1 + SIDE;
            LANES_APART
            for (int lane = 0; lane < SIDE; lane++) {
                /* What either melody says for the first time is evidence; what both repeat is not. */
                const float fresh = larger(reference_fresh[lane], query_fresh);
                const float said = smaller(surprisal[lane], bits), won = fresh * gain[lane];
                float top = 0.0f, top_then = 0.0f, top_away = 0.0f;
                int step = 0;
                (void)step;
                do {
                    /* Over one interval of each: it may begin an alignment, or change transposition. */
                    const float from = row_1[at_1 + lane], then = tempo_1[at_1 + lane];
                    const int32_t off = by_1 - to_1[lane];
                    const int32_t same = off == 0, positive = from > 0;
                    if (SIDE == 1 && !(same | positive))
                        break;
                    const int32_t octaves = (off == 12) | (off == -12);
                    const int32_t tuned = ((off == 1) | (off == -1)) & (to_1[lane] * sign > 0) & moving;
                    const float with_octave = said + octave, match_new = said + kept;
                    const float with_match = smaller(match_new, fresh * match_new);
                    float worth = tuned ? mistuned : different;
                    worth = octaves ? with_octave : worth;
                    worth = same ? with_match : worth;
                    const float lag = lag_1 - gap_1[lane], away = lag - then;
                    const float timed = larger(won - slope * fabsf(away), loss);
                    const float going_on = from + (worth + timed);
                    const float total = positive ? going_on : worth;
                    const int32_t good = (same | positive) & (total > 0);
                    top = good ? total : 0.0f;
                    top_then = positive ? then : lag;
                    top_away = positive ? away : 0.0f;
                    KEEP(good, 5);
                } while (0);
                const float repeating = said + repetition, merging = away_1[lane] + over_21;
                TAKE(6, row_1, tempo_1, at_2, shorter[lane], gap_2, lag_1, to_2, by_1);
                TAKE(7, row_1, tempo_1, at_3, away_3[lane] + over_13, gap_3, lag_1, to_3, by_1);
                TAKE(9, row_2, tempo_2, at_1, query_repeats ? repeating : merging, gap_1, lag_2, to_1, by_2);
                TAKE(10, row_2, tempo_2, at_2, away_2[lane] + over_22, gap_2, lag_2, to_2, by_2);
                TAKE(11, row_2, tempo_2, at_3, away_3[lane] + over_23, gap_3, lag_2, to_3, by_2);
                TAKE(13, row_3, tempo_3, at_1, away_1[lane] + over_31, gap_1, lag_3, to_1, by_3);
                TAKE(14, row_3, tempo_3, at_2, away_2[lane] + over_32, gap_2, lag_3, to_2, by_3);
                TAKE(15, row_3, tempo_3, at_3, away_3[lane] + over_33, gap_3, lag_3, to_3, by_3);
                score_here[lane] = top > 0 ? top : NOWHERE;
                tempo_here[lane] = top_then + drift * smaller(larger(top_away, -1.0f), 1.0f);
                if (SIDE == 1 && top > best[0])
                    end[0] = i, end[1] = j;
                if (SIDE == 1)
                    move[i * m + j] = (int8_t)step;
                best[lane] = larger(best[lane], top);
            }
        }
    }
}

#undef TAKE
#undef LANES_APART
#undef NAME
#undef TARGET
