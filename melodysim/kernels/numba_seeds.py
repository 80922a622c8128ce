"""The kernel of `melodysim.align.seeds`, which explains the method of chaining shared turns."""

from __future__ import annotations

import numpy as np
from numba import njit

_SLOT = np.dtype([("score", np.float32), ("band", np.int32), ("until", np.int32)])


@njit(nogil=True, cache=True)
def _follow(first, last, begin, end, cost, worth, posting, rules, slots, best):  # pragma: no cover
    place_bits, band_bits, passed_cost = rules
    note, most = (1 << place_bits) - 1, slots.shape[1] - 1
    for s in range(first.shape[0]):
        here, there = begin[s], end[s]
        earned = worth[there] - worth[here] - cost[s]
        for p in range(first[s], last[s]):
            melody = posting[p] >> place_bits
            if melody >= best.shape[0]:  # a damaged file must not write out of bounds
                continue
            band = (np.int32(posting[p] & note) - here) >> band_bits
            slot = slots[melody, band & most]
            kept = slot.score - passed_cost * max(here - slot.until, 0)
            total = earned
            if slot.band == band and slot.score > 0:
                if slot.until >= there:
                    continue
                if kept > 0:
                    more = worth[there] - worth[max(here, slot.until)] - cost[s]
                    if more <= 0:
                        continue
                    total = kept + more
            elif kept > earned:
                continue
            slot.score, slot.band, slot.until = np.float32(total), band, there
            best[melody] = max(best[melody], np.float32(total))


def chain(first, last, begin, end, cost, worth, posting, rules, slots, best) -> None:
    """Fill `best` with the score of every melody's best chain."""
    chains = np.zeros((len(best), slots), _SLOT)
    _follow(first, last, begin, end, cost, worth, posting, rules, chains, best)
