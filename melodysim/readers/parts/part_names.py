"""What the name of a part says: that it sings, accompanies or beats time, in many languages."""

from __future__ import annotations

import re

SINGS = re.compile(
    r"melod|mélod|vocal|voice|voix|\bvo[czx]\b|vox|\bsing(?!le)|\bsang|lead|tune|theme|\btema\b|thema|solo|chant|"
    r"canto|cantus|cantan|gesang|stimme|cantor|sopran|zang|melodi|śpiew|spiew|głos|zpěv|ének|lyric|karaoke|"
    r"мелод|вокал|голос|соло|主旋|旋律|主唱|演唱|人声|人聲|歌|唱|メロ|ﾒﾛ|ボーカル|ヴォーカル|うた|"
    r"멜로디|보컬|노래|선율|giai điệu|melodia",
    re.IGNORECASE,
)
ACCOMPANIES = re.compile(
    r"bass|drum|perc|pad|chord|string|accomp|backing|choir|rhythm|arp|harmony|left|\blh\b|"
    r"伴奏|和弦|bridge|piano|begleit|akkord|acompa|accord|basso|baixo|bajo|ベース|コード|ピアノ|ドラム|"
    r"鼓|贝司|贝斯|베이스|드럼|반주|бас|аккорд|ударн",
    re.IGNORECASE,
)
TRANSCRIBED = ("voice line", "tracked line", "top line")
"""Names that `melodysim transcribe` gives to its lines, the likeliest first."""
_DRUMS = re.compile(
    r"\bdrum|drums?\b|\bperc|\bkick\b|snare|hi-?hat|\bcymbal|\btoms?\b|schlagzeug|schlagwerk|bater[ií]a|"
    r"batterie|batteria|ударн|барабан|ドラム|パーカッション|鼓|打击|打擊|드럼",
    re.IGNORECASE,
)
_TUNED = re.compile(
    r"steel|\bhang|hand ?pan|tongue|tuned|pitched|melod|lead|solo|bells?\b", re.IGNORECASE
)


_INSTRUMENTS = re.compile(
    r"viol|cello|flut|flöt|oboe|hautbois|clarin|klarin|bassoon|fagott|sax|trumpet|trompet|horn|tromb|posaune|"
    r"guitar|gitarre|organ|orgel|synth|piano|klavier|harp|vibra|marimba|xylo|glock|celesta|timpani|pauken|"
    r"accordion|mandolin|banjo|sitar|ギター|ピアノ|吉他|钢琴|鋼琴",
    re.IGNORECASE,
)


def line_name(part: str, what: str) -> str:
    """Name a line of a part after both: "Piano, inner line"; of a part without a name, "inner line"."""
    return f"{part}, {what}" if part else what


def names_instrument(name: str) -> bool:
    """Say whether a name is one of an instrument with pitch."""
    return bool(_INSTRUMENTS.search(name) or _TUNED.search(name))


def sings(name: str) -> bool:
    """Say whether a name is one of a melody."""
    return bool(SINGS.search(name))


def names_drums(name: str) -> bool:
    """Say whether a name is one of drums without pitch: a drum kit, not steel drums."""
    return bool(_DRUMS.search(name)) and not _TUNED.search(name)
