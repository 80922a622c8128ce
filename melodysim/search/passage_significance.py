"""Chance measured with one passage of a query instead of the whole query.

The background of a query is what unrelated references score against all of it. They follow best its
most ordinary part: its scale runs and repeated notes. A distinctive passage is then measured against
scores that have nothing to do with it, and an ordinary passage profits from the variety of the rest.
So the best matches are measured a second time: how well do unrelated references follow just this
passage? For protein sequences the same is done by the composition of either sequence
(Schäffer et al. 2001, "Improving the accuracy of PSI-BLAST protein database searches with
composition-based statistics").

A passage is chosen out of as many as lie side by side in the query, and is the one that is followed
best: what it scores against chance is one of three measurements whose mean is a reference's standing
(`melodysim.search.by_notes`), and what that is worth is measured in its turn (`own_works`).
"""

from __future__ import annotations

import numpy as np

from melodysim.align.corpus import Corpus
from melodysim.align.dtw import Costs, align_scores
from melodysim.intervals import Sequence, time_ratio
from melodysim.search.e_values import Background, fit_background


def cut_passage(sequence: Sequence, notes: tuple[int, int]) -> Sequence:
    """Cut a passage out of a query.

    Parameters
    ----------
    sequence : Sequence
    notes : (int, int)
        Its first note, and the one after its last.
    """
    first, last = notes
    time = sequence.time[first:last]
    return Sequence(
        interval=sequence.interval[first : last - 1],
        ratio=time_ratio(time),
        pitch=(sequence.pitch[first:last] - sequence.pitch[first]).astype(np.int16),
        time=time,
    )


def background_of_passage(
    passage: Sequence, unrelated: Corpus, costs: Costs, typical: Background, threads: int = 1
) -> Background:
    """Fit the distribution of the scores of unrelated references against a passage.

    Parameters
    ----------
    passage : Sequence
    unrelated : Corpus
        A sample of references, without the one that the passage follows.
    costs : Costs
        Costs of the alignment.
    typical : Background
        Stands in where the sample is too small.
    """
    every = np.arange(len(unrelated))
    score = align_scores(passage, unrelated, every, threads, costs)
    return fit_background(score.astype(np.float64), unrelated.lengths, typical)
