"""The order in which the measures of a score are played: repeats, endings, da capo, dal segno, coda."""

from __future__ import annotations

from dataclasses import dataclass, replace

_MOST_TIMES = 8
"""A repeat that asks for more is taken as one that asks for this many."""
_LONGEST = 20
"""Times that a score may become longer than it is written."""


@dataclass
class Signs:
    """Signs of one measure that say where to go on.

    Attributes
    ----------
    forward : bool
        A repeat begins with the measure.
    times : int
        How often what ends with the measure is played; 0 where no repeat ends.
    endings : tuple of int
        Numbers of the endings (voltas) that the measure is in; empty if in none.
    jump : str
        "da capo" or "dal segno", after the measure.
    segno, coda, to_coda, fine : bool
        The signs, `to_coda` and `fine` at the end of the measure.
    """

    forward: bool = False
    times: int = 0
    endings: tuple[int, ...] = ()
    jump: str = ""
    segno: bool = False
    coda: bool = False
    to_coda: bool = False
    fine: bool = False


def playing_order(signs: list[Signs]) -> list[int]:
    """Return the measures in the order in which they are played.

    Parameters
    ----------
    signs : list of Signs
        One for each measure.

    Examples
    --------
    A repeat with two endings: what is repeated, the first ending, again, the second ending.

    >>> one, two = Signs(times=2, endings=(1,)), Signs(endings=(2,))
    >>> playing_order([Signs(forward=True), one, two, Signs()])
    [0, 1, 0, 2, 3]
    """
    signs = _with_way_to_coda(signs)
    order: list[int] = []
    at, began, turn, jumped = 0, 0, 1, False
    while at < len(signs) and len(order) < _LONGEST * len(signs):
        here = signs[at]
        if here.forward and at != began:
            began, turn = at, 1
        if here.endings and not _taken(signs, at, turn, jumped):
            at += 1
            continue
        order.append(at)
        if jumped and here.fine:
            break
        if jumped and here.to_coda:
            coda = next((k for k in range(at + 1, len(signs)) if signs[k].coda), None)
            if coda is not None:
                at = began = coda
                turn = 1
                continue
        if here.times and not jumped and _goes_back(signs, at, turn):
            turn += 1
            at = began
            continue
        if here.jump and not jumped:
            jumped = True
            segno = next((k for k, sign in enumerate(signs) if sign.segno), 0)
            at = began = segno if here.jump == "dal segno" else 0
            turn = 1
            continue
        at += 1
        if here.times or (here.endings and at < len(signs) and not signs[at].endings):
            began, turn = _after(signs, at, began, turn)
    return order


def _with_way_to_coda(signs: list[Signs]) -> list[Signs]:
    """Take the first of two coda signs for the way to the coda, where no words say where that is."""
    codas = [k for k, sign in enumerate(signs) if sign.coda]
    jump = next((k for k, sign in enumerate(signs) if sign.jump), -1)
    if len(codas) < 2 or any(sign.to_coda for sign in signs) or not codas[0] <= jump < codas[-1]:
        return signs
    leaving = replace(signs[codas[0]], coda=False, to_coda=True)
    return [*signs[: codas[0]], leaving, *signs[codas[0] + 1 :]]


def _row(signs: list[Signs], at: int) -> list[Signs]:
    """Return the measures of the row of endings that a measure is in."""
    first = last = at
    while first and signs[first - 1].endings:
        first -= 1
    while last + 1 < len(signs) and signs[last + 1].endings:
        last += 1
    return signs[first : last + 1]


def _goes_back(signs: list[Signs], at: int, turn: int) -> bool:
    """Say whether the repeat that ends with a measure is played again: while an ending is left, too."""
    here = signs[at]
    if turn >= _MOST_TIMES:
        return False
    left = here.endings and any(number > turn for sign in _row(signs, at) for number in sign.endings)
    return bool(left) or turn < here.times


def _taken(signs: list[Signs], at: int, turn: int, jumped: bool) -> bool:
    """Say whether a measure in an ending is played at this turn; after a jump the last ending is."""
    row = _row(signs, at)
    several = len({sign.endings for sign in row}) > 1
    if jumped:
        return signs[at].endings == row[-1].endings and (several or not row[-1].times)
    beyond = turn > max(number for sign in row for number in sign.endings)
    return turn in signs[at].endings or (several and beyond and signs[at].endings == row[-1].endings)


def _after(signs: list[Signs], at: int, began: int, turn: int) -> tuple[int, int]:
    """Return where a repeat would begin after one has ended, and its turn.

    Within a row of endings the same repeat goes on.
    """
    inside = at < len(signs) and signs[at].endings
    return (began, turn) if inside else (at, 1)
