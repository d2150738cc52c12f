"""Language codes: what callers and espeak-ng say, and what the segmenter's rules are filed under."""

from __future__ import annotations

ALIASES = {"cmn": "zh", "yue": "zh", "hak": "zh", "nb": "no", "hyw": "hy", "hbs": "hr"}
KNOWN = frozenset(
    "af am an ar as az ba be bg bn bpy bs ca chr cs cv cy da de el en eo es et eu fa fi fo fr ga gd gn grc gu haw he hi"
    " hr ht hu hy ia id io is it ja jbo ka kaa kk kl km kn ko kok ku ky la lb lfn lo lt ltg lv mi mk ml mr ms mt mto my"
    " nci ne nl no nog nn om or pa pap piqd pl pt py qdb qu quc qya ro ru sd shn si sjn sk sl smj sq sr sv sw ta te th"
    " ti tk tn tr tt ug uk ur uz vi xex zh".split()
)


def base_language(code: str) -> str:
    """The code under which rules are filed: "pt-BR" → "pt", "cmn" → "zh"; what nobody knows → "en"."""
    base = code.lower().replace("_", "-").split("-", 1)[0]
    base = ALIASES.get(base, base)
    return base if base in KNOWN else "en"


def known_language(code: str) -> bool:
    """Whether text in `code` is cut by rules for it; otherwise it is treated as English."""
    base = code.lower().replace("_", "-").split("-", 1)[0]
    return base in KNOWN or base in ALIASES
