"""The kernel of `melodysim.transcribe.pitch_tracker`, which explains the method."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def _glides(score, glide, following, back):  # pragma: no cover
    """Fill in the best glide to each pitch: a distance transform, one sweep up and one down."""
    bins = len(score) - 1
    best, origin = np.float64(-1e30), 0
    for k in range(bins):
        best -= glide
        if score[k] > best:
            best, origin = np.float64(score[k]), k
        following[k] = best
        back[k] = origin
    best, origin = np.float64(-1e30), 0
    for k in range(bins - 1, -1, -1):
        best -= glide
        if score[k] > best:
            best, origin = np.float64(score[k]), k
        if best > following[k]:
            following[k] = best
            back[k] = origin


@njit(nogil=True, cache=True)
def _jumps(score, jump, octave, octave_bins, voice, loudest, following, back):  # pragma: no cover
    """Use jumps, octave jumps and entries from silence where they score more than gliding."""
    bins = len(score) - 1
    for k in range(bins):
        if score[loudest] - jump > following[k]:
            following[k] = score[loudest] - jump
            back[k] = loudest
        for other in (k - octave_bins, k + octave_bins):
            if 0 <= other < bins and score[other] - octave > following[k]:
                following[k] = score[other] - octave
                back[k] = other
        if score[bins] - voice > following[k]:
            following[k] = score[bins] - voice
            back[k] = bins


@njit(nogil=True, cache=True)
def pitch_path(emission, costs, path):  # pragma: no cover
    """Fill `path` [frames] with the best path through emission [frames, bins] and silence, -1."""
    glide, jump, octave, voice, unvoice, octave_bins = costs
    frames, bins = emission.shape
    score = np.empty(bins + 1, np.float32)
    following = np.empty(bins + 1, np.float32)
    back = np.empty((frames, bins + 1), np.int16)
    for k in range(bins):
        score[k] = emission[0, k] - voice
    score[bins] = 0.0
    for t in range(1, frames):
        loudest = 0
        for k in range(1, bins):
            if score[k] > score[loudest]:
                loudest = k
        _glides(score, glide, following, back[t])
        _jumps(score, jump, octave, octave_bins, voice, loudest, following, back[t])
        following[bins] = score[bins]
        back[t, bins] = bins
        if score[loudest] - unvoice > following[bins]:
            following[bins] = score[loudest] - unvoice
            back[t, bins] = loudest
        for k in range(bins):
            score[k] = following[k] + emission[t, k]
        score[bins] = following[bins]
    state = int(np.argmax(score))
    for t in range(frames - 1, -1, -1):
        path[t] = state if state < bins else -1
        if t > 0:
            state = back[t, state]
