/* The best path of a melody through salience: see `melodysim.transcribe.pitch_tracker`, which explains the
 * method, and `melodysim.kernels.numba_path`, which has the same function. Sums are made in double and kept
 * in float, as they are there, so that both find the same path to the last frame. */

#include <stdlib.h>

#include "native.h"

#define NOWHERE -1e30

typedef struct {
    const float *score; /* [bins + 1] of the frame before; the last is silence */
    float *following;   /* [bins + 1] of this frame, before its emission */
    int16_t *back;      /* [bins + 1] where each comes from */
    int64_t bins;
} Frame;

/* The best glide to each pitch: a distance transform, one sweep up and one down. */
static void glides(const Frame *frame, double glide)
{
    double best = NOWHERE;
    int64_t origin = 0;
    for (int64_t k = 0; k < frame->bins; k++) {
        best -= glide;
        if (frame->score[k] > best)
            best = frame->score[k], origin = k;
        frame->following[k] = (float)best;
        frame->back[k] = (int16_t)origin;
    }
    best = NOWHERE, origin = 0;
    for (int64_t k = frame->bins - 1; k >= 0; k--) {
        best -= glide;
        if (frame->score[k] > best)
            best = frame->score[k], origin = k;
        if (best > frame->following[k]) {
            frame->following[k] = (float)best;
            frame->back[k] = (int16_t)origin;
        }
    }
}

static void come_from(const Frame *frame, int64_t k, int64_t other, double cost)
{
    const double value = frame->score[other] - cost;
    if (value > frame->following[k]) {
        frame->following[k] = (float)value;
        frame->back[k] = (int16_t)other;
    }
}

/* Jumps, octave jumps and entries from silence, where they score more than gliding. */
static void jumps(const Frame *frame, const PathCosts *costs, int64_t loudest)
{
    for (int64_t k = 0; k < frame->bins; k++) {
        come_from(frame, k, loudest, costs->jump);
        if (k >= costs->octave_bins)
            come_from(frame, k, k - costs->octave_bins, costs->octave);
        if (k + costs->octave_bins < frame->bins)
            come_from(frame, k, k + costs->octave_bins, costs->octave);
        come_from(frame, k, frame->bins, costs->voice);
    }
}

static int64_t highest(const float *score, int64_t count)
{
    int64_t best = 0;
    for (int64_t k = 1; k < count; k++)
        if (score[k] > score[best])
            best = k;
    return best;
}

int pitch_path(const float *emission, int64_t frames, int64_t bins, const PathCosts *costs, int16_t *path)
{
    const int64_t states = bins + 1;
    float *score = malloc((size_t)(2 * states) * sizeof(float));
    int16_t *back = malloc((size_t)(frames * states) * sizeof(int16_t));
    if (!score || !back) {
        free(score);
        free(back);
        return -2;
    }
    for (int64_t k = 0; k < bins; k++)
        score[k] = (float)(emission[k] - costs->voice);
    score[bins] = 0;
    for (int64_t t = 1; t < frames; t++) {
        const Frame frame = {score, score + states, back + t * states, bins};
        const int64_t loudest = highest(score, bins);
        glides(&frame, costs->glide);
        jumps(&frame, costs, loudest);
        frame.following[bins] = score[bins];
        frame.back[bins] = (int16_t)bins;
        come_from(&frame, bins, loudest, costs->unvoice);
        for (int64_t k = 0; k < bins; k++)
            score[k] = frame.following[k] + emission[t * bins + k];
        score[bins] = frame.following[bins];
    }
    int64_t state = highest(score, states);
    for (int64_t t = frames - 1; t >= 0; t--) {
        path[t] = (int16_t)(state < bins ? state : -1);
        if (t > 0)
            state = back[t * states + state];
    }
    free(score);
    free(back);
    return 0;
}
