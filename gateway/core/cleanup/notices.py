"""What is said in place of a block of code."""

from __future__ import annotations

from gateway.core.languages import base_language

_CODE = {
    "ar": "تم حذف الشيفرة.",
    "de": "Code ausgelassen.",
    "en": "Code omitted.",
    "es": "Código omitido.",
    "fr": "Code omis.",
    "hi": "कोड छोड़ा गया।",
    "it": "Codice omesso.",
    "ja": "コードは省略します。",
    "ko": "코드는 생략합니다.",
    "nl": "Code weggelaten.",
    "pl": "Kod pominięto.",
    "pt": "Código omitido.",
    "ru": "Код опущен.",
    "tr": "Kod atlandı.",
    "zh": "代码已省略。",
}


def code_notice(language: str) -> str:
    """The notice in `language`, "" where there is none: a foreign one would be read with the wrong sounds."""
    return _CODE.get(base_language(language), "")
