"""The marks that end sentences and clauses in the scripts of the world, and which language uses which its own way.

Data only. Marks are grouped by what must follow them: a full stop needs a blank and a look at the next word, a danda or
an ideographic stop ends a sentence whatever comes next.
"""

from __future__ import annotations

STOPS = ".!?…‼⁇⁈⁉"
"""Marks that end a sentence only if what follows agrees."""
HARD_STOPS = "。！？｡．।॥։።፧፨۔؟؞။៕༎᠃𑅁"
"""Marks that end a sentence whatever follows: ideographic, danda, Armenian, Ethiopic, Arabic, Burmese, Khmer, Tibetan."""
HARD_STOPS += "។\uf8fe"
CLAUSE_MARKS = ",;:،؛؍⹁՝፣፤፥፦၊៖·᠂\uf8fd"
"""Marks that end a clause if a blank follows."""
CLAUSE_MARKS_WIDE = "、，；：﹐—"
"""Marks that end a clause whatever follows."""
DASHES = "–-"
"""Marks that end a clause if blanks stand on both sides."""
OPENERS = "([{（［｛【〔「『《〈"
CLOSERS = ")]}）］｝】〕」』》〉"
QUOTES = "\"“”„‟«»‹›"
RUN_CLOSERS = CLOSERS + QUOTES + "'’*_\u200f\u200e\u202c\u2069"
"""What may stand between a terminator and the blank after it, markdown's emphasis and direction marks included."""
LEADERS = OPENERS + QUOTES + "'‘*_#>¿¡–—-\u200f\u200e\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""What may stand between that blank and the first letter of the next sentence."""
BULLETS = "•⁃◦▪‣"
LINE_ENDS = "\n\r\x85\u2028\u2029"

STOPS_OF = {"el": ";\u037e", "hy": ":"}
"""ASCII marks that a language uses as terminators: the Greek question mark, the Armenian full stop."""

STOPS_ELSEWHERE = "".join(STOPS_OF.values())

ORDINAL_LANGUAGES = frozenset(
    "bs cs da de eo et eu fi fo hr hu is kl lb ltg lv lt mk nb nn no pl sk sl smj sr tr tk az kk ky".split()
)
"""Where a dot after a number may mean "the first"."""
DANDA_LANGUAGES = frozenset("as bn bpy hi kok ne or pa".split())
"""Where a sentence ends in a danda and a dot abbreviates."""
UNSPACED_LANGUAGES = frozenset("km lo shn th my".split())
"""Where words are not separated and a blank separates clauses."""

ABBREVIATIONS: dict[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "pl": "r w św ws im ul al pl os nr tys mln mld godz tzw tzn np m.in p.n.e n.e ok płk gen kpt por mjr ks bp abp"
        " red prof dr hab mgr inż lic dyr wyd zob por przyp tj itp itd str s t ur zm wg pt jw sp cz gm pow woj st",
        "tr": "m.ö m.s i.ö i.s dr prof doç av sn st no cad sok mah apt blv vb vs bkz yy org alb yzb tğm müh öğr gör",
        "hi": "डॉ डा श्री पं प्रो कु रु सं पृ ई कि.मी मि उ.प्र म.प्र ए बी सी डी जी एस एम",
    }.items()
}
"""Abbreviations, without their last dot, that the judge does not know; all lower case."""
