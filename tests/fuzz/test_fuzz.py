"""A few mutated files of every kind, the same every time; `fuzz_run.py` reads as many as you like."""

import pytest
from fuzz_corpus import corpus
from fuzz_run import run

FILES = 40


def test_mutated_files_are_read_or_refused_in_a_line(tmp_path):
    suffixes = sorted(corpus())
    came = list(run(suffixes, FILES * len(suffixes), 0, tmp_path, 2))
    assert [(suffix, seed, why) for suffix, seed, _, why in came if why] == []
    assert len(came) == FILES * len(suffixes)


@pytest.mark.parametrize("suffix", sorted(corpus()))
def test_the_corpus_itself_is_read(tmp_path, suffix):
    from fuzz_run import read_file

    from melodysim.errors import MelodysimError

    for name in ("tune.mid", "beside.mid"):
        (tmp_path / name).write_bytes(corpus()[".mid"][0])
    for number, content in enumerate(corpus()[suffix]):
        path = tmp_path / f"valid{suffix}"
        path.write_bytes(content)
        if suffix == ".abc" and number == 2:  # two tunes, which are no track
            with pytest.raises(MelodysimError, match="2 tunes"):
                read_file(path)
        else:
            assert read_file(path) == "read"
