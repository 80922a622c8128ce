/* The first pass for `2 * V` references side by side: included once for every instruction set.
 *
 * The including file defines V (bytes a vector), the type `vec`, NAME and TARGET, and the operations
 * used below. Scores are 0..127: adds_i8 saturates, subs_u8 stops at 0. The cells are those of
 * `melodysim.align.prefilter`, which explains the method; the pair of vectors is there because each cell
 * waits for the one before it.
 */

#define W (2 * V)

static void TARGET NAME(lookup)(const uint8_t *table, const uint8_t *symbols, uint8_t *out)
{
    for (int half = 0; half < W; half += V) {
#ifdef ARM
        store(out + half, vqtbl4q_u8(vld1q_u8_x4(table), load(symbols + half)));
#else
        /* pshufb gives 0 where the high bit is set: each part holds what is inside its 16 entries. */
        const vec symbol = load(symbols + half);
        vec found = fill(0);
        for (int k = 0; k < 4; k++) {
            const vec within = OP(_adds_epu8)(sub_i8(symbol, fill(16 * k)), fill(0x70));
            const vec entries = spread(_mm_loadu_si128((const __m128i *)(table + 16 * k)));
            found = or_(found, OP(_shuffle_epi8)(entries, within));
        }
        store(out + half, found);
#endif
    }
}

static void TARGET NAME(scan)(const Query *query, const uint8_t *interval, const uint8_t *ratio,
                              int64_t rows, int64_t stride, uint8_t *scratch, uint8_t *best)
{
    const int64_t notes = query->notes;
    uint8_t *score = scratch;                           /* three rows of notes + 2, two of them zero */
    uint8_t *across = score + 3 * (notes + 2) * W;      /* a gap in the query, by query note */
    uint8_t *by_interval = across + notes * W;          /* of the row, by interval of the query */
    uint8_t *by_ratio = by_interval + query->intervals * W;
    uint8_t *profile = by_ratio + query->ratios * W;    /* of the row, by pair of the two */
    memset(score, 0, (size_t)((4 * notes + 6) * W));
    const vec open = fill(query->gap_open), extend = fill(query->gap_extend);
    const vec moved = fill(query->moved), zero = fill(0);
    const vec nowhere = fill(NOWHERE), padding = fill(query->padding), middle = fill(query->middle);
    vec one_a = nowhere, one_b = nowhere, best_a = zero, best_b = zero;

    for (int64_t row = 0; row < rows; row++) {
        const uint8_t *symbols = interval + row * stride, *times = ratio + row * stride;
        for (int64_t u = 0; u < query->intervals; u++)
            NAME(lookup)(query->interval_table + 64 * u, symbols, by_interval + u * W);
        for (int64_t u = 0; u < query->ratios; u++)
            NAME(lookup)(query->ratio_table + 64 * u, times, by_ratio + u * W);
        for (int64_t u = 0; u < query->pairs; u++) {
            const uint8_t *p = by_interval + query->pair_interval[u] * W;
            const uint8_t *t = by_ratio + query->pair_ratio[u] * W;
            store(profile + u * W, adds_i8(load(p), load(t)));
            store(profile + u * W + V, adds_i8(load(p + V), load(t + V)));
        }
        /* The reference's interval in semitones, and its sum with the one before. */
        const vec symbol_a = load(symbols), symbol_b = load(symbols + V);
        vec two_a = nowhere, two_b = nowhere;
        const vec step_a = sub_i8(symbol_a, middle), step_b = sub_i8(symbol_b, middle);
        if (row > 0) {
            two_a = where_equal(symbol_a, padding, nowhere, add_i8(one_a, step_a));
            two_b = where_equal(symbol_b, padding, nowhere, add_i8(one_b, step_b));
        }
        one_a = where_equal(symbol_a, padding, nowhere, step_a);
        one_b = where_equal(symbol_b, padding, nowhere, step_b);

        uint8_t *now = score + (row % 3) * (notes + 2) * W;
        const uint8_t *before = score + ((row + 2) % 3) * (notes + 2) * W;
        const uint8_t *earlier = score + ((row + 1) % 3) * (notes + 2) * W;
        vec up_a = zero, up_b = zero;
        vec from21_a = zero, from21_b = zero, from22_a = zero, from22_b = zero;
        for (int64_t i = 0; i < notes; i++) {
            const int64_t at = (i + 1) * W;
            const vec by_one = fill(query->step[i]), by_two = fill(query->step2[i]);
            const uint8_t *scores = profile + query->pair[i] * (int64_t)W;
            const vec from11_a = load(before + at), from11_b = load(before + at + V);
            const vec from12_a = load(earlier + at), from12_b = load(earlier + at + V);
            vec kept_a = if_equal(two_a, by_two, from22_a), kept_b = if_equal(two_b, by_two, from22_b);
            kept_a = max_if_equal(kept_a, one_a, by_two, from21_a);
            kept_b = max_if_equal(kept_b, one_b, by_two, from21_b);
            kept_a = max_if_equal(kept_a, two_a, by_one, from12_a);
            kept_b = max_if_equal(kept_b, two_b, by_one, from12_b);
            vec value_a = max_i8(adds_i8(from11_a, load(scores)), subs_u8(kept_a, moved));
            vec value_b = max_i8(adds_i8(from11_b, load(scores + V)), subs_u8(kept_b, moved));
            const vec left_a = load(across + i * W), left_b = load(across + i * W + V);
            value_a = max_u8(max_u8(value_a, left_a), up_a);
            value_b = max_u8(max_u8(value_b, left_b), up_b);
            store(now + at + W, value_a);
            store(now + at + W + V, value_b);
            best_a = max_u8(best_a, value_a);
            best_b = max_u8(best_b, value_b);
            const vec opened_a = subs_u8(value_a, open), opened_b = subs_u8(value_b, open);
            store(across + i * W, max_u8(subs_u8(left_a, extend), opened_a));
            store(across + i * W + V, max_u8(subs_u8(left_b, extend), opened_b));
            up_a = max_u8(subs_u8(up_a, extend), opened_a);
            up_b = max_u8(subs_u8(up_b, extend), opened_b);
            from21_a = from11_a, from21_b = from11_b;
            from22_a = from12_a, from22_b = from12_b;
        }
    }
    store(best, best_a);
    store(best + V, best_b);
}

#undef W
#undef V
#undef vec
#undef NAME
#undef TARGET
#undef MM
#undef BITS
#undef spread
