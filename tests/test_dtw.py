import numpy as np
import pytest
from conftest import build_corpus, random_tune, tune
from hypothesis import given, settings
from hypothesis import strategies as st

from melodysim.align.dtw import IN_TIME, OTHER_RHYTHM, PITCH_ALONE, align_path, align_scores
from melodysim.align.repetition import own_freshness
from melodysim.align.surprisal import own_surprisal
from melodysim.intervals import normalise
from melodysim.melody import Melody


def move_bits(query, own, reference, corpus, i, j, a, b, running, costs):
    """Bits of the move that ends at (i, j) over a and b notes, or None if there is no such move."""
    mine = int(query.pitch[i]) - int(query.pitch[i - a])
    theirs = int(reference.pitch[j]) - int(reference.pitch[j - b])
    rare = costs.worth * min(float(corpus.surprisal[j]), float(own[i]))
    fresh = max(float(own_freshness(query)[i]), float(own_freshness(reference)[j]))
    if mine == theirs:

        def away(notes):
            return costs.worth * corpus.rarity.displacement[notes, np.clip(theirs, -36, 36) + 36]

        def repeated(s, k):
            return s.pitch[k - 1] == s.pitch[k] or s.pitch[k - 1] == s.pitch[k - 2]

        if (a, b) == (1, 1):
            bits = rare + (costs.match if mine else costs.same_note)
        elif (a, b) == (2, 1) and repeated(query, i):
            bits = rare + costs.repetition
        elif (a, b) == (1, 2) and repeated(reference, j):
            bits = away(1) + costs.repetition
        else:
            bits = away(b) + costs.moves[a, b]
        bits = min(bits, fresh * bits)
    elif (a, b) != (1, 1):
        return None
    elif abs(mine - theirs) == 12:
        bits = rare + costs.octave
    elif abs(mine - theirs) == 1 and mine * theirs > 0:
        bits = costs.mistuned
    else:
        bits = costs.different
    faster = np.log2(query.time[i] - query.time[i - a]) - np.log2(
        reference.time[j] - reference.time[j - b]
    )
    if running is None:
        return float(bits), faster
    away = faster - running
    gain = fresh * costs.timing_share * float(corpus.timing[j])
    bits += max(gain - costs.timing_slope * abs(away), -costs.timing_loss)
    return float(bits), running + costs.tempo_drift * float(np.clip(away, -1, 1))


def slow_align(query, reference, corpus, costs):
    """The recurrence, cell by cell, with a dictionary of states."""
    state, best, own = {}, 0.0, own_surprisal(query)
    for i in range(1, len(query)):
        for j in range(1, len(reference)):
            options = []
            for a in range(1, min(3, i) + 1):
                for b in range(1, min(3, j) + 1):
                    before, running = state.get((i - a, j - b), (0.0, None))
                    if running is None and (
                        (a, b) != (1, 1)
                        or query.pitch[i] - query.pitch[i - 1]
                        != reference.pitch[j] - reference.pitch[j - 1]
                    ):
                        continue
                    move = move_bits(query, own, reference, corpus, i, j, a, b, running, costs)
                    if move is not None and before + move[0] > 0:
                        options.append((before + move[0], move[1]))
            if options:
                state[i, j] = max(options, key=lambda option: option[0])
                best = max(best, state[i, j][0])
    return best


@given(st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_kernel_agrees_with_the_slow_recurrence(seed):
    rng = np.random.default_rng(seed)
    reference = random_tune(rng, int(rng.integers(2, 30)))
    query = random_tune(rng, int(rng.integers(2, 30)))
    if rng.random() < 0.5:  # something to find
        cut = reference.pitch[: len(query)]
        query = tune([*query.pitch[: len(query) - len(cut)], *cut], query.duration)
    q, r = normalise(query), normalise(reference)
    corpus = build_corpus([r])
    for costs in (IN_TIME, OTHER_RHYTHM, PITCH_ALONE):
        fast = float(align_scores(q, corpus, np.array([0]), costs=costs)[0])
        assert fast == pytest.approx(slow_align(q, r, corpus, costs), abs=1e-3)
        assert align_path(q, corpus, 0, costs).score == pytest.approx(fast, abs=1e-4)


@given(st.integers(0, 2**32), st.integers(-20, 20), st.sampled_from([0.5, 0.8, 1.25, 2.0]))
@settings(max_examples=20, deadline=None)
def test_transposing_and_stretching_change_nothing(seed, shift, stretch):
    rng = np.random.default_rng(seed)
    corpus = build_corpus([normalise(random_tune(rng, 30)) for _ in range(4)])
    a = random_tune(rng, 40)
    b = Melody.from_notes(3 + a.onset * stretch, a.duration * stretch, a.pitch + shift)
    one, two = (align_scores(normalise(m), corpus, np.arange(4)) for m in (a, b))
    assert one == pytest.approx(two, abs=1e-3)
    assert (
        align_path(normalise(a), corpus, 0).path.tolist()
        == align_path(normalise(b), corpus, 0).path.tolist()
    )


ORIGINAL = [60, 67, 65, 71, 62, 69, 64, 72, 59, 66, 61, 68]


def aligned(pitches, lengths=None):
    corpus = build_corpus([normalise(tune(ORIGINAL))])
    return align_path(normalise(tune(pitches, lengths)), corpus, 0)


def test_a_copy_aligns_note_by_note():
    assert aligned(ORIGINAL).path.tolist() == [[k, k] for k in range(12)]


def test_one_changed_note_keeps_the_transposition():
    changed = [*ORIGINAL[:5], 70, *ORIGINAL[6:]]
    path = aligned(changed).path.tolist()
    assert [5, 5] not in path
    assert path == [[k, k] for k in range(12) if k != 5]


def test_an_ornament_is_passed_over():
    ornamented = [*ORIGINAL[:6], 70, *ORIGINAL[6:]]
    path = aligned(ornamented, [1] * 5 + [0.5, 0.5] + [1] * 6).path.tolist()
    assert path == [[k, k] for k in range(6)] + [[k + 1, k] for k in range(6, 12)]


def test_a_left_out_note_is_passed_over():
    shorter = [*ORIGINAL[:6], *ORIGINAL[7:]]
    path = aligned(shorter, [1] * 5 + [2] + [1] * 5).path.tolist()
    assert path == [[k, k] for k in range(6)] + [[k - 1, k] for k in range(7, 12)]


def test_a_passage_is_found_inside_other_music():
    rng = np.random.default_rng(3)
    before, after = random_tune(rng, 20).pitch, random_tune(rng, 20).pitch
    path = aligned([*before, *(np.array(ORIGINAL) + 5), *after]).path
    core = [pair for pair in path.tolist() if 20 <= pair[0] < 32]
    assert core == [[20 + k, k] for k in range(12)]


def test_rare_turns_earn_more_than_scales():
    scales = [normalise(tune([60 + k for k in (0, 2, 4, 5, 7, 9, 11, 12)] * 3)) for _ in range(200)]
    odd = normalise(tune([60, 67, 58, 66, 61, 69, 59, 70]))
    corpus = build_corpus([*scales, odd])
    copy_of_scale = align_scores(
        normalise(tune([60, 62, 64, 65, 67, 69, 71, 72])), corpus, np.array([0])
    )
    copy_of_odd = align_scores(odd, corpus, np.array([200]))
    assert copy_of_odd[0] > 2 * copy_of_scale[0]


def test_nothing_in_common_gives_an_empty_path():
    corpus = build_corpus([normalise(tune([60, 61, 62]))])
    found = align_path(normalise(tune([60, 50, 40])), corpus, 0)
    assert found.score == 0
    assert found.path.shape == (0, 2)
