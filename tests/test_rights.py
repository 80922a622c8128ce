from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from melodysim.errors import ReadError, RightsError
from melodysim.library import Library
from melodysim.library.importers import import_paths
from melodysim.library.importers.rights_table import read_list
from melodysim.library.rights import TERRITORIES, Rights, check_rights, effective, free_since
from melodysim.library.schema import MIGRATIONS
from melodysim.library.store import Store

DAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("published", "died", "territory", "year"),
    [
        (1930, None, "us", 2026),  # Public Domain Day 2026
        (1931, None, "us", 2027),
        (1977, 1980, "us", 2073),
        (1978, 1980, "us", 2051),
        (None, 1955, "us", None),
        (None, 1955, "eu", 2026),
        (1950, 1956, "uk", 2027),
        (1990, 1956, "uk", None),  # published after the author's death
        (None, 1975, "life+50", 2026),
        (1930, None, "eu", None),
        (1930, 1960, "anywhere", 2031),
        (1960, 1970, "anywhere", 2056),
        (1960, 1900, "anywhere", None),
        (1930, None, "anywhere", None),
    ],
)
def test_terms_worked_out_by_hand(published, died, territory, year):
    assert free_since(Rights("unknown", published=published, died=died), territory) == year


@given(
    st.one_of(st.none(), st.integers(1700, 2020)),
    st.one_of(st.none(), st.integers(1700, 2020)),
    st.sampled_from(["in-copyright", "unknown", "public-domain"]),
)
def test_free_everywhere_is_free_in_each_place(published, died, status):
    rights = Rights(status, published=published, died=died)
    if free_since(rights, "anywhere") is not None:
        anywhere = effective(rights, "anywhere", DAY)
        each = [effective(rights, place, DAY) for place in TERRITORIES if place != "anywhere"]
        assert anywhere.protected == any(r.protected for r in each)


def test_dates_decide_and_say_why():
    free = effective(Rights("in-copyright", published=1920, died=1940, note="song"), "us", DAY)
    assert free.status == "public-domain"
    assert free.note == "song; free since 2016 in “us”, but not known to be elsewhere"
    bound = effective(Rights("public-domain", published=1925, died=1990), "eu", DAY)
    assert bound.status == "in-copyright"
    assert "until the end of 2060" in bound.note
    assert effective(Rights("unknown"), "us", DAY) == Rights("unknown")
    assert effective(Rights("own", died=1800), "us", DAY).status == "own"


def test_a_licence_counts_to_its_last_day():
    licence = Rights("licensed", expires="2026-11-23")
    assert not effective(licence, today=DAY).protected
    late = effective(licence, today=date(2026, 11, 24))
    assert late.protected
    assert "ran out on 2026-11-23" in late.note
    assert not effective(Rights("licensed"), today=DAY).protected


@pytest.mark.parametrize(
    "rights", [Rights("free"), Rights("own", published=20), Rights("licensed", expires="tomorrow")]
)
def test_rights_that_make_no_sense(rights):
    with pytest.raises(RightsError):
        check_rights(rights)


@pytest.fixture
def small(tmp_path, fixtures):
    path = tmp_path / "small.db"
    with Store(path, create=True) as store:
        import_paths(store, [fixtures / "paper-lanterns.mid"], Rights("in-copyright"))
    return path


def test_territory_decides_what_is_protected(small):
    (identity,) = Library(small).index.names
    with Store(small, writable=True) as store, store.transaction():
        store.set_rights(identity, Rights("in-copyright", published=1920, died=1990))
    assert not Library(small, "us").protected[0]
    assert Library(small, "eu").protected[0]
    assert Library(small).protected[0]
    entry = Library(small, "us").shelf.look_up([identity])[identity].entry
    assert entry.rights.status == "public-domain"


def test_rights_in_bulk(small, run, tmp_path):
    (identity,) = Library(small).index.names
    table = tmp_path / "rights.csv"
    table.write_text(f"ID,Status,Expires,Holder\n{identity},licensed,2999-12-31,Somebody\n")
    done = run("library", "rights", "--csv", table, "--library", small)
    assert done.returncode == 0, done.stderr
    rights = Library(small).shelf.look_up([identity])[identity].entry.rights
    assert (rights.status, rights.expires, rights.holder) == ("licensed", "2999-12-31", "Somebody")
    table.write_text(f"id,status\n{identity},own\nno-such-id,own\n")
    bad = run("library", "rights", "--csv", table, "--library", small)
    assert bad.returncode == 2
    assert "no-such-id" in bad.stderr
    rights = Library(small).shelf.look_up([identity])[identity].entry.rights
    assert rights.status == "licensed"  # nothing was taken
    assert run("library", "rights", "--library", small).returncode == 2
    kept = run("library", "rights", identity, "--published", "1950", "--library", small)
    assert kept.returncode == 0, kept.stderr
    shown = run("library", "show", identity, "--library", small).stdout
    assert "licensed to you" in shown
    assert "1950" in shown
    assert "2999-12-31" in shown


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,colour\n", "colour"),
        ("status\n", "needs the column id"),
        ("id,holder\nx,A, Inc\n", "3 cells under 2"),
        ("id,holder\nx,A\nx,B\n", "already"),
        ("id,status\nx,free\n", "line 2"),
        ("id,status,died\nx,own,long ago\n", "line 2"),
        ("id,status\n,own\n", "no id"),
    ],
)
def test_bad_tables_name_the_line(tmp_path, text, says):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ReadError, match=says):
        read_list(path)


def test_a_library_of_the_first_schema_is_brought_up_to_date(tmp_path):
    import sqlite3

    path = tmp_path / "old.db"
    db = sqlite3.connect(path)
    db.executescript(MIGRATIONS[0])
    db.execute("INSERT INTO source VALUES (1, 'x', 'y')")
    db.execute("INSERT INTO melody VALUES ('a', 1, 't', NULL, '', 0, x'', x'', x'', NULL)")
    db.execute("INSERT INTO rights VALUES ('a', 'own', 'me', NULL, 1999, NULL)")
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    with Store(path) as store:  # opened for reading only
        (entry,) = store.entries()
    assert entry.rights == Rights("own", "me", None, 1999)


def test_protected_in_one_place_is_not_free_anywhere():
    day = date(2026, 6, 1)
    for rights in (
        Rights("public-domain", died=2000),
        Rights("public-domain", published=1960),
        Rights("unknown", published=1960),
    ):
        assert effective(rights, "anywhere", day).status == "in-copyright"
    # Free in one place says nothing of the others.
    assert effective(Rights("in-copyright", published=1900), "anywhere", day).status == "in-copyright"


def test_what_a_licence_was_for_may_be_free_by_now():
    old = Rights("licensed", published=1880, died=1900, expires="2020-01-01")
    assert effective(old, "anywhere", date(2026, 6, 1)).status == "public-domain"
    new = Rights("licensed", published=1980, died=1990, expires="2020-01-01")
    assert effective(new, "anywhere", date(2026, 6, 1)).status == "in-copyright"


def test_posthumous_works_in_the_us():
    """Before 1978 publication alone counts, 17 U.S.C. § 304; § 303 is for what was unpublished then."""
    assert free_since(Rights(published=1910, died=1900), "us") == 2006
    assert free_since(Rights(published=1960, died=1950), "us") == 2056
    assert free_since(Rights(published=1990, died=1950), "us") is None
    assert free_since(Rights(published=1910, died=1900), "eu") is None


@pytest.mark.parametrize("expires", ["20271231", "2027-W52-5", "31.12.2027"])
def test_dates_are_of_one_form(expires):
    with pytest.raises(RightsError, match="is no date such as"):
        check_rights(Rights("licensed", expires=expires))


def test_a_table_is_read_as_spreadsheets_save_it(tmp_path):
    """Western Europe's encoding, semicolons, empty columns at the end, capitals."""
    path = tmp_path / "rights.csv"
    path.write_bytes("id;title;status;died;;\na;Grüße;In-Copyright;1990;;\n".encode("cp1252"))
    (row,) = read_list(path)
    assert row.beside["title"] == "Grüße"
    assert row.rights == {"status": "in-copyright", "died": 1990}
