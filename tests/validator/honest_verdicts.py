"""What honest judges say of good results: ten languages, eight shapes, four ways of quoting."""

# ruff: noqa: RUF001 - letters of many scripts

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from contracts.criteria import Criterion


class Words(NamedTuple):
    """Two sentences, three things, and the name of a load, in one language."""

    first: str
    second: str
    things: tuple[str, str, str]
    load: str


LANGUAGES = {
    "English": Words("The old bridge carries 40.5 tonnes.", "It won't be closed.", ("deck", "cables", "piers"), "load"),
    "German": Words(
        "Die alte Brücke trägt 40,5 Tonnen.", "Sie bleibt für alle geöffnet.", ("Fahrbahn", "Seile", "Pfeiler"), "Last"
    ),
    "French": Words(
        "Le vieux pont porte 40,5 tonnes.", "Il n’est pas fermé aujourd’hui.", ("tablier", "câbles", "piles"), "charge"
    ),
    "Spanish": Words(
        "El puente viejo soporta 40,5 toneladas.",
        "¿Se cierra? No, sigue abierto.",
        ("tablero", "cables", "pilas"),
        "carga",
    ),
    "Russian": Words(
        "Старый мост выдерживает 40,5 тонны.",
        "Он остаётся открытым для всех.",
        ("настил", "тросы", "опоры"),
        "нагрузка",
    ),
    "Arabic": Words("الجسر القديم يتحمل ٤٠ طنًا.", "وسيبقى مفتوحًا للجميع.", ("سطح", "كابلات", "دعامات"), "حمولة"),
    "Hindi": Words("पुराना पुल 40.5 टन भार सहता है।", "यह सबके लिए खुला रहेगा।", ("फ़र्श", "तार", "खंभे"), "भार"),
    "Chinese": Words("这座旧桥可承重40.5吨。", "它将继续对所有人开放。", ("桥面", "缆索", "桥墩"), "荷载"),
    "Japanese": Words("この古い橋は40.5トンに耐えます。", "今後も通行できます。", ("床版", "ケーブル", "橋脚"), "荷重"),
    "Thai": Words("สะพานเก่ารับน้ำหนักได้ 40.5 ตัน", "สะพานจะยังเปิดให้ทุกคนใช้", ("พื้น", "สายเคเบิล", "ตอม่อ"), "น้ำหนัก"),
}

#: A result, and what is quoted of it; a quotation with a criterion of its own is named by it.
Shape = Callable[[Words], tuple[Any, list[str | tuple[str, str]]]]


def _table(words: Words) -> tuple[Any, list[str | tuple[str, str]]]:
    rows = [f"| {thing} | {number} |" for number, thing in enumerate(words.things, 1)]
    return "\n".join([f"| {words.load} | n |", "|---|---|", *rows]), [rows[0], rows[1].strip("| "), "\n".join(rows)]


def _list(words: Words) -> tuple[Any, list[str | tuple[str, str]]]:
    lines = "\n".join(f"- {thing}" for thing in words.things)
    literal = f"mentions \u201c{words.things[1]}\u201d", words.things[1]
    return f"{words.first}\n\n{lines}\n", [lines, literal, words.first]


def _code(words: Words) -> tuple[Any, list[str | tuple[str, str]]]:
    code = f"# {words.first}\ndef total(loads: list[float]) -> float:\n    return sum(loads) or 0.0\n\n\nx = 1\n"
    return code, ["def total(loads: list[float]) -> float:", "return sum(loads)", f"# {words.first}", "x = 1"]


SHAPES: dict[str, Shape] = {
    "prose": lambda w: (f"{w.first} {w.second}", [w.first, w.second, f"{w.first} {w.second}"]),
    "list": _list,
    "table": _table,
    "code": _code,
    "numbers": lambda w: (
        {w.load: 40.5, "n": -3, "all": [1, 2.5]},
        [f'"{w.load}": 40.5', '"n": -3', '"all": [1, 2.5]'],
    ),
    "JSON": lambda w: (
        {"summary": f"{w.first}\n{w.second}", "parts": list(w.things)},
        [w.first, f'"parts": {json.dumps(w.things, ensure_ascii=False)}', f"{w.first}\n{w.second}", w.things[0]],
    ),
    "booleans": lambda w: ({w.load: True, "done": {"well": False}}, [f'"{w.load}": true', '"well": false']),
    "counts": lambda w: (
        {"things": list(w.things), "count": 3},
        [", ".join(f'"{thing}"' for thing in w.things), ", ".join(w.things), '"count": 3'],
    ),
}

QUOTES: dict[str, Callable[[str], str]] = {
    "verbatim": str,
    "in marks": lambda quote: f"\u201c{quote}\u201d",
    "in other case and space": lambda quote: quote.upper().replace(" ", "  "),
    "as in JSON": lambda quote: json.dumps(quote, ensure_ascii=True)[1:-1],
}

Verdict = tuple[str, Any, list[Criterion], list[str]]


def list_verdicts() -> Iterator[Verdict]:
    """Yield a name, a result, and its criteria with what is quoted for each."""
    for language, words in LANGUAGES.items():
        for shape, make in SHAPES.items():
            for way, quote in QUOTES.items():
                result, quotes = make(words)
                pairs = [
                    one if isinstance(one, tuple) else ("It says so, and at least three times", one) for one in quotes
                ]
                criteria = [Criterion(text=text, kind="meets" if n else "never") for n, (text, _) in enumerate(pairs)]
                yield f"{language}, {shape}, {way}", result, criteria, [quote(said) for _, said in pairs]
