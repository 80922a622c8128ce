/* The innermost loop of listening: included once for every instruction set.
 *
 * The including file defines V (entries a vector), the type `vec`, NAME and TARGET, and the operations
 * used below, on 16-bit integers that wrap. `melodysim.align.salience_dtw` explains the method.
 */

/* Advance by one reference note at V places from x; return the best scores so far. */
static inline vec TARGET NAME(places)(const Note note, int64_t x, vec best, int16_t *out, int16_t *next)
{
    vec entered = sub(max(load(note.shortest + x), load(note.longest + x)), fill(note.unusual));
    entered = max(entered, max(load(note.shorter + x), load(note.longer + x)));
    const vec sung = add(entered, load(note.total + x));
    const vec passed = sub(load(note.before + x), fill(note.skip));
    const vec value = max(max(sung, passed), fill(0));
    store(out + x, value);
    store(next + x, sub(value, load(note.entry + x)));
    return max(best, value);
}

/* Advance by one reference note at `size` places; keep the best scores, in as many places as a vector has.
 * The note is copied, so that what it points to is not fetched anew after every store. */
static void TARGET NAME(advance)(const Note *given, int64_t size, int16_t *out, int16_t *next,
                                 int16_t *highest)
{
    const Note note = *given;
    vec best = load(highest);
    int64_t x = 0;
    for (; x + V <= size; x += V)
        best = NAME(places)(note, x, best, out, next);
    if (x < size && size >= V) { /* the last places, some of them once more */
        best = NAME(places)(note, size - V, best, out, next);
        x = size;
    }
    store(highest, best);
    for (; x < size; x++) {
        out[x] = advance_one(given, x, next);
        highest[0] = larger(highest[0], out[x]);
    }
}

#undef NAME
#undef TARGET
#undef V
#undef vec
#undef fill
#undef load
#undef store
#undef add
#undef sub
#undef max
