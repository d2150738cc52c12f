"""The marks that end sentences and clauses in the scripts of the world, and which language uses which its own way.

Data only. Marks are grouped by what must follow them: a full stop needs a blank and a look at the next word, a danda or
an ideographic stop ends a sentence whatever comes next.
"""

from __future__ import annotations

STOPS = ".!?…‼⁇⁈⁉"
"""Marks that end a sentence only if what follows agrees."""
HARD_STOPS = "。！？｡．।॥։።፧፨۔؟؞။។៕༎᠃\uf8fe"
"""Marks that end a sentence whatever follows: ideographic, danda, Armenian, Ethiopic, Arabic, Burmese, Khmer, Tibetan."""
CLAUSE_MARKS = ",;:،؛؍⹁՝፣፤፥፦၊៖·᠂།\uf8fd"
"""Marks that end a clause if a blank follows."""
CLAUSE_MARKS_WIDE = "、，；：﹐—"
"""Marks that end a clause whatever follows."""
DASHES = "–-"
"""Marks that end a clause if blanks stand on both sides."""
OPENERS = "([{（［｛【〔「『《〈"
CLOSERS = ")]}）］｝】〕」』》〉"
QUOTES = '"“”„‟«»‹›'
RUN_CLOSERS = CLOSERS + QUOTES + "'’*_\u200f\u200e\u202c\u2069"
"""What may stand between a terminator and the blank after it, markdown's emphasis and direction marks included."""
LEADERS = (
    OPENERS
    + QUOTES
    + "'‘*_#>¿¡–—-\u200f\u200e\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
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

TITLES = frozenset(
    "mr mrs ms messrs mme mlle dr prof st skt sr sra डॉ श्री ডা ড મો શ્રી ડૉ திரு டாக்டர் శ్రీ డా ಶ್ರೀ ಡಾ ശ്രീ ഡോ".split()
)
"""Abbreviations that stand before a name, in whatever language: they end no sentence."""
NUMBERED = frozenset(
    "no nos nr núm num nº n° vol vols fig figs cap pag pág pp art sec sect ch eq ed ca cca abb abs tab kap bd str стр"
    " рис табл гл ст op cit ver approx tel ext ft lb oz in".split()
)
"""Abbreviations only if a number follows."""
YEAR_ABBREVIATIONS = {
    "pl": frozenset("r w n.e p.n.e".split()),
    "ru": frozenset("г гг в вв н.э".split()),
    "uk": frozenset("р рр ст н.е".split()),
    "be": frozenset("г гг ст".split()),
}
"""What follows a year or a century, and may well end the sentence."""
YEAR_WORDS_MIN = 6
"""Words before such a year from which on it is taken for the end and not for the opening of a sentence."""
POLITE = frozenset("sie ihr ihnen ihre ihrer ihren ihrem".split())
"""Closed-class words that are also written with a capital inside a sentence."""

ABBREVIATIONS: dict[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "af": "bv mnr mev bl vgl asb",
        "bg": "д-р пр",
        "cs": "popř kpt plk pplk odst roč tab srov angl lat něm",
        "da": "skt min",
        "de": "hl inkl exkl zzgl abb abs aufl bd kap jh jhd geb gest verh tel bspw dipl allg ehem engl frz lat griech okt"
        " dez",
        "el": "δηλ καθ αρ σελ βλ τηλ οδ λεωφ",
        "en": "figs eq vol ch approx est ft",
        "et": "nt jne lk jt jmt tn mnt pst",
        "fi": "ks ym jne vrt klo nro puh ts yms kpl milj mrd",
        "fr": "mm coll janv févr avr juil sept oct nov déc boul bd ste n°",
        "hi": "डॉ डा श्री पं प्रो कु रु सं पृ ई कि.मी मि उ.प्र म.प्र ए बी सी डी जी एस एम",
        "hr": "npr tj itd sv ul br str god mil tzv odn tel gđa",
        "hu": "ún kb stb sz kft bt rt ifj özv zrt tel ker hrsz",
        "id": "dll dsb dst hlm rp pt tn ny sdr jl ir hj kec kab kep prov dra kh tbk tgl thn bpk",
        "is": "kr bls próf sbr þús millj ágú okt nóv",
        "it": "pag pagg",
        "lt": "pvz psl žr kt pan tūkst mln mlrd",
        "lv": "piem utt lpp plkst",
        "nl": "mevr mw incl excl afb tel jan feb aug sept okt nov dec ds",
        "no": "kl dvs osv tlf kap jf evt inkl ekskl mill mrd okt kgl avd",
        "pl": "św ws im ul al pl os nr tys mln mld godz tzw tzn np m.in ok płk gen kpt por mjr ks bp abp red prof dr"
        " hab mgr inż lic dyr wyd zob przyp tj itp itd str ur zm wg sp pow woj st tel",
        "pt": "profa etc pág cap vol ed tel av aprox ltda cia arq séc núm",
        "ro": "str bd pag vol jud",
        "ru": "им ст напр млн млрд доц обл св бул просп пл рис табл гл зам зав др",
        "sk": "kpt plk tab porov",
        "sv": "kl dvs osv resp tel tfn kr kap jfr forts inkl exkl milj mdr okt",
        "tr": "m.ö m.s i.ö i.s dr prof doç av sn st cad sok mah apt blv vb vs bkz yy org alb yzb tğm müh öğr gör alm ing",
        "uk": "бул просп тел рис табл гол заст зав",
        "vi": "tp ths ts pgs gs bs",
    }.items()
}
"""Abbreviations, without their last dot, that the judge does not know; all lower case."""

UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""For a class of a pattern, the scripts without blanks between words: Thai and Lao, Myanmar, Khmer, ideographic numerals and
kana, bopomofo, Han."""
DEPENDENT = (
    "\u0300-\u036f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u102b-\u103e"
    "\u17b4-\u17d3\u3099\u309a\ufe00-\ufe0f\U000e0100-\U000e01ef"
)
"""Likewise, their vowel signs, tone marks and selectors that never stand alone."""
