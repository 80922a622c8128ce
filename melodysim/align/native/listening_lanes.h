/* The innermost loop of listening: included once for every instruction set.
 *
 * The including file defines V (entries a vector), the type `vec`, NAME and TARGET, and the operations
 * used below, on 16-bit integers that wrap. `melodysim.align.salience_dtw` explains the method.
 */

/* Advance by one reference note at `size` places; return the best score. */
static int16_t TARGET NAME(advance)(const Note *note, int64_t size, int16_t *out, int16_t *next)
{
    const vec unusual = fill(note->unusual), skip = fill(note->skip), zero = fill(0);
    vec best = zero;
    int64_t x = 0;
    for (; x + V <= size; x += V) {
        vec entered = sub(max(load(note->shortest + x), load(note->longest + x)), unusual);
        entered = max(entered, max(load(note->shorter + x), load(note->longer + x)));
        const vec sung = add(entered, load(note->total + x));
        const vec passed = sub(load(note->before + x), skip);
        const vec value = max(max(sung, passed), zero);
        store(out + x, value);
        store(next + x, sub(value, load(note->entry + x)));
        best = max(best, value);
    }
    int16_t each[V], highest = 0;
    store(each, best);
    for (int k = 0; k < V; k++)
        highest = each[k] > highest ? each[k] : highest;
    for (; x < size; x++) {
        const int16_t value = advance_one(note, x, next);
        out[x] = value;
        highest = value > highest ? value : highest;
    }
    return highest;
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
