/* The innermost loop of the first look: included once for every instruction set.
 *
 * The including file defines V (entries a vector), the type `vec`, NAME and TARGET, and the operations
 * used below, on unsigned 8-bit integers that saturate. `melodysim.align.first_look` explains the method.
 */

/* Advance by one reference note in all transpositions; keep the highest scores, in as many places as a
 * vector has. Past the end of a block, up to a vector's length, there is room, and nothing is heard. */
static void TARGET NAME(look)(const Look *look, uint8_t *out, uint8_t *highest)
{
    const vec bias = fill(look->bias), skip = fill(look->skip);
    const int64_t width = look->width;
    vec best = load(highest);
    for (int64_t lane = 0; lane < LANES; lane++) {
        const int64_t here = lane * look->room, there = lane * look->width;
        const uint8_t *const before_short = look->before[0] + here, *const short_ = look->heard[0] + there;
        const uint8_t *const before_usual = look->before[1] + here, *const usual_ = look->heard[1] + there;
        const uint8_t *const before_long = look->before[2] + here, *const long_ = look->heard[2] + there;
        uint8_t *const after = out + here;
        for (int64_t x = 0; x < width; x += V) {
            const vec before = load(before_usual + x);
            const vec shortest = add_u8(load(before_short + x), load(short_ + x));
            const vec longest = add_u8(load(before_long + x), load(long_ + x));
            const vec usual = add_u8(before, load(usual_ + x));
            const vec sung = sub_u8(max_u8(max_u8(shortest, longest), usual), bias);
            const vec value = max_u8(sung, sub_u8(before, skip));
            store(after + x, value);
            best = max_u8(best, value);
        }
    }
    store(highest, best);
}

#undef NAME
#undef TARGET
#undef V
#undef vec
#undef MM
#undef BITS
