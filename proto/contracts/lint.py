"""Warn by rules, and at once, of criteria that can be misunderstood, and suggest what to write instead."""

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from contracts.criteria import Criterion
from contracts.lint_patterns import (
    QUOTED,
    SUBJECT,
    WORD,
    describe_broken,
    find_unseen,
    is_about_the_whole,
    is_of_absence,
)
from signoff.errors import ErrorCode
from signoff.judging import CriterionWarning

_COUNT: Final = r"(\d{1,3}(?:,\d{3})+|\d+)"
_UNIT: Final = r"\s+(words?|characters?|chars?)\b"
_AT_MOST: Final = re.compile(
    r"\b(?:at\s+most|no\s+more\s+than|not\s+more\s+than|not\s+exceed(?:ing)?|max(?:imum)?(?:\s+of)?|up\s+to|not\s+longer\s+than"
    rf"|no\s+longer\s+than)\s+{_COUNT}{_UNIT}",
    re.IGNORECASE,
)
_UNDER: Final = re.compile(
    rf"\b(?:under|below|fewer\s+than|less\s+than|shorter\s+than)\s+{_COUNT}{_UNIT}", re.IGNORECASE
)
_AT_LEAST: Final = re.compile(
    rf"\b(?:at\s+least|no\s+(?:fewer|less)\s+than|min(?:imum)?(?:\s+of)?)\s+{_COUNT}{_UNIT}", re.IGNORECASE
)
_BETWEEN: Final = re.compile(rf"\bbetween\s+{_COUNT}\s+(?:and|to)\s+{_COUNT}{_UNIT}", re.IGNORECASE)
# Of a part of the result, which no check of the whole can measure.
_PART: Final = re.compile(
    r"\b(?:each|every|per|paragraphs?|sentences?|lines?|headings?|titles?|sections?|subjects?)\b", re.IGNORECASE
)
_CHECK: Final = re.compile(r"(max|min)_(words|chars)\s+(\d{1,9})")

# What may stand beside a length without asking for more.
_ASIDE_WORDS: Final = (
    "a all altogether an and answer article as be but code contain contains email exactly has have in is it keep kept"
    " length limit limited long must of output overall poem reply report response result shall should stay stays"
    " summary text that the this to total use uses whole with written"
)
_ASIDE: Final = frozenset(_ASIDE_WORDS.split())

#: A bound (max or min), what is counted (words or chars), and how many.
Length = tuple[str, str, int]


def list_lengths(one: Criterion) -> list[Length]:
    """Return the bounds that a criterion sets for the length of the result: min or max, the unit, and the number."""
    if one.kind == "check" and (match := _CHECK.fullmatch(one.text)):
        return [(match[1], match[2], int(match[3]))]
    return list(_find_lengths(one.text)) if one.kind == "meets" and not _PART.search(one.text) else []


def asks_for_length_alone(text: str) -> bool:
    """Return whether a text asks for lengths and nothing else, so that checks can stand in its place."""
    for pattern in (_BETWEEN, _AT_MOST, _UNDER, _AT_LEAST):
        text = pattern.sub(" ", text)
    return not re.search(r"\d", text) and {word.casefold() for word in WORD.findall(text)} <= _ASIDE


def _find_lengths(text: str) -> Iterator[tuple[str, str, int]]:
    for bound, pattern, change in (("max", _AT_MOST, 0), ("max", _UNDER, -1), ("min", _AT_LEAST, 0)):
        for number, unit in pattern.findall(text):
            if (count := _to_int(number) + change) > 0:
                yield bound, _to_unit(unit), count
    for least, most, unit in _BETWEEN.findall(text):
        yield "min", _to_unit(unit), _to_int(least)
        yield "max", _to_unit(unit), _to_int(most)


def _to_int(number: str) -> int:
    return int(number.replace(",", "")[:12])


def _to_unit(unit: str) -> str:
    return "words" if unit.lower().startswith("word") else "chars"


def find_contradictions(criteria: Sequence[Criterion]) -> Iterator[CriterionWarning]:
    """Yield a warning for each required criterion that no result can meet together with an earlier one."""
    lengths: dict[str, tuple[int, float]] = {}  # the largest minimum, the smallest maximum, of each unit
    met: dict[str, int] = {}
    for place, one in enumerate(criteria):
        if not one.required:
            continue
        for bound, unit, number in list_lengths(one):
            least, most = lengths.get(unit, (0, math.inf))
            if bound == "max" and number < least:
                yield _contradict(place, one, f"allows at most {number} {unit}, and another asks for at least {least}")
            elif bound == "min" and number > most:
                yield _contradict(place, one, f"asks for at least {number} {unit}, and another allows at most {most}")
            lengths[unit] = (max(least, number), most) if bound == "min" else (least, min(most, number))
        meaning, opposite = _normalize(one)
        if (other := met.get(opposite)) is not None:
            yield _contradict(place, one, f"asks for the opposite of criterion {other + 1}")
        met.setdefault(meaning, place)


def _normalize(one: Criterion) -> tuple[str, str]:
    """Return the demand of a criterion and the opposite demand, in a form that does not depend on spelling."""
    text = " ".join(one.text.casefold().strip(" .").split())
    if one.kind != "check":
        subject = re.match(rf"{SUBJECT}\s+", text)
        text = text[subject.end() :] if subject else text
        return f"{one.kind} {text}", f"{'never' if one.kind == 'meets' else 'meets'} {text}"
    text = " ".join(one.text.split())
    for name, other in (("contains", "not_contains"), ("matches", "not_matches")):
        if text.startswith(f"{name} "):
            return text, f"{other}{text[len(name) :]}"
        if text.startswith(f"{other} "):
            return text, f"{name}{text[len(other) :]}"
    for name, other in ((" exists", " absent"), (" absent", " exists")):
        if text.startswith("json_path ") and text.endswith(name):
            return text, text.removesuffix(name) + other
    return text, ""


def _contradict(place: int, one: Criterion, words: str) -> CriterionWarning:
    message = f"criterion {place + 1} {words}: no result meets both, so take one away or make it optional"
    return CriterionWarning(
        code=ErrorCode.CRITERION_CONTRADICTS, criterion=place, message=message, suggestion=f"optional: {one}"
    )


# What stands where somebody meant to write a criterion.
_PLACEHOLDER_TEXTS: Final = "|criteria|criterion|n a|na|none|tba|tbd|test|to be defined|to do|todo|x|xx|xxx"
_PLACEHOLDERS: Final = frozenset(_PLACEHOLDER_TEXTS.split("|"))

#: By what is vague, what could be seen in its place.
_VAGUE: Final = {
    "accurate|correct|right": "Every name, number and date in it stands in the source",
    "appropriate|suitable|adequate|proper|properly": "It addresses the readers whom the description names",
    "clean|readable|well[- ]structured|well[- ]organi[sz]ed|organi[sz]ed": "Every section has a heading",
    "clear|understandable|easy to understand|simple": "Every technical term in it is explained where it first stands",
    "comprehensive|complete|thorough|detailed|in[- ]depth": "It answers each question that the description asks",
    "concise|brief|short": "check: max_words 200",
    "creative|engaging|interesting|compelling|exciting|catchy|fun": "It opens with a question, a scene or a surprise",
    "good|great|nice|excellent|high[- ]quality|quality|decent|ok|okay|fine|perfect|best|better": (
        "It answers each question that the description asks"
    ),
    "helpful|useful|relevant|meaningful|actionable": "It names one next step at least, and who takes it",
    "natural|professional|polite|friendly|well[- ]written": "It addresses the reader by name and ends with a greeting",
    "reasonable|sensible|acceptable|satisfactory|sufficient|efficient|robust": (
        "It gives a reason for each of its recommendations"
    ),
}
_VAGUE_WORD: Final = re.compile(rf"\b(?:{'|'.join(_VAGUE)})\b", re.IGNORECASE)
# What is left of a vague criterion without its vague words: nothing that can be looked for.
_FILLING_WORDS: Final = (
    "a all an and answer are as article be code content contents document email enough essay format has have in is it"
    " its language look looks manner must of output overall poem possible prose quality quite reply report response"
    " result shall should sounds style summary text that the this to tone very way well work writing written"
)
_FILLING: Final = frozenset(_FILLING_WORDS.split())

_VERB: Final = (
    r"(?:is|are|has|have|must|should|shall|does|contains?|names?|mentions?|includes?|uses?|gives?|ends?|begins?|starts?"
    r"|says?|rhymes?)"
)
_JOINED: Final = re.compile(
    rf"\s*;\s+(?!(?:or|e\.g\.|i\.e\.|that)\b)(?=\w)|[.!]\s+(?=(?:{SUBJECT}|also|then|must|should|each|every|use|add|give)\b)"
    r"|,?\s+and\s+also\s+",
    re.IGNORECASE,
)
_JOINED_SUBJECTS: Final = re.compile(rf",?\s+(?:and|but)\s+(?={SUBJECT}\s+{_VERB}\b)", re.IGNORECASE)
# "It rhymes and has four lines": of a town that "is old and has a port" it is one thing.
_JOINED_VERBS: Final = re.compile(r",?\s+and\s+(?=(?:contains|has|includes|is|mentions|rhymes)\b)", re.IGNORECASE)
_RELATIVE: Final = re.compile(r"\b(?:that|which|who|whose|where|what|how|why|when|if|each|every)\b", re.IGNORECASE)
_JOINED_DUTIES: Final = re.compile(
    rf"((?:{SUBJECT}\s+)?(?:must|should|shall)\s+)(?!not\b)(.+?),?\s+and\s+(?:also\s+)?"
    r"((?:be|contain|end|explain|give|have|include|list|mention|name|rhyme|say|use)\b.*)",
    re.IGNORECASE | re.DOTALL,
)
_CLAUSE_WORDS_MIN: Final = 2

_LITERAL: Final = re.compile(
    rf"(?:{SUBJECT}\s+)?(?:must\s+|should\s+)?(?:contains?|includes?|has|have)\s+(?:the\s+)?(?:exact\s+|literal\s+)?"
    r"(?:words?|phrase|string|text|sentence)\s+[\"\u201c\u201e]([^\"\u201c\u201d]+)[\"\u201c\u201d]\s*\.?",
    re.IGNORECASE,
)
_VALID: Final = re.compile(
    rf"(?:{SUBJECT}\s+)?(?:must\s+be|should\s+be|is|ist)\s+(?:an?\s+|eine?\s+)?(?:(?:valid|g\xfcltige[rs]?)\s+)?"
    r"(json|csv|python|markdown[\s-]+table|markdown-tabelle)(?:[\s-]+code)?\.?",
    re.IGNORECASE,
)
_URL: Final = re.compile(
    rf"(?:{SUBJECT}\s+)?(?:must\s+be|should\s+be|is)\s+an?\s+(?:valid\s+)?(?:url|link)\.?", re.IGNORECASE
)
#: A code, the message after the number of the criterion, and what could stand there instead.
Warned = tuple[str, str, str | None]


def _find_empty(one: Criterion) -> Warned | None:
    words = " ".join(WORD.findall(one.text)).casefold()
    if words not in _PLACEHOLDERS or re.search(r"\d", one.text):
        return None
    message = "says nothing that a result could be judged by: say what one must see in it"
    return ErrorCode.CRITERION_SAYS_NOTHING, message, "It answers each question that the description asks"


def _find_check(one: Criterion) -> Warned | None:
    checks = list(_suggest_checks(one)) if one.kind == "meets" else []
    if not checks:
        return None
    optional = "" if one.required else "optional: "
    message = "can be a check, which is certain and costs nothing"
    return ErrorCode.CRITERION_BETTER_AS_CHECK, message, "\n".join(f"{optional}check: {check}" for check in checks)


def _suggest_checks(one: Criterion) -> Iterator[str]:
    text = one.text
    if match := _LITERAL.fullmatch(text):
        yield f"contains {json.dumps(match[1], ensure_ascii=False)}"
    elif match := _VALID.fullmatch(text):
        form = match[1].lower()
        yield f"valid {'markdown_table' if form.startswith('markdown') else form}"
    elif _URL.fullmatch(text):
        yield "url"
    elif asks_for_length_alone(text):
        yield from (f"{bound}_{unit} {number}" for bound, unit, number in list_lengths(one))


def _find_unseen(one: Criterion) -> Warned | None:
    if (unseen := find_unseen(one.text)) is None:
        return None
    message = (
        f"is about {unseen.what}: a judge has the result, the task and a reference, so put it there, "
        "or ask for what stands in the result"
    )
    optional = "" if one.required else "optional: "
    return ErrorCode.CRITERION_OUT_OF_SIGHT, message, f"{optional}{unseen.instead}"


def _find_joined(one: Criterion) -> Warned | None:
    for first, second in _split(one.text, is_met=one.kind == "meets"):
        if min(len(WORD.findall(first)), len(WORD.findall(second))) >= _CLAUSE_WORDS_MIN:
            message = "asks for two things, of which a result may meet one: write two criteria"
            prefixes = str(one)[: len(str(one)) - len(one.text)]
            instead = f"{prefixes}{first}\n{prefixes}{second[0].upper()}{second[1:]}"
            return ErrorCode.CRITERION_JOINS_TWO, message, instead
    return None


def _split(text: str, *, is_met: bool) -> Iterator[tuple[str, str]]:
    """Yield each pair of demands that a text may join; `is_met`: the criterion is of the kind `meets`."""
    bare = QUOTED.sub(lambda match: "\0" * len(match[0]), text)
    duties = _JOINED_DUTIES.fullmatch(bare) if is_met else None
    if duties is not None and not _RELATIVE.search(duties[2]):
        yield text[: duties.end(2)].strip(), text[: duties.end(1)] + text[duties.start(3) :].strip()
    for match in _JOINED.finditer(bare):
        yield text[: match.start()].strip(), text[match.end() :].strip()
    for pattern in (_JOINED_SUBJECTS, _JOINED_VERBS) if is_met else (_JOINED_SUBJECTS,):
        for match in pattern.finditer(bare):
            if not _RELATIVE.search(bare, 0, match.start()):
                yield text[: match.start()].strip(), text[match.end() :].strip()


def _find_absence(one: Criterion) -> Warned | None:
    if one.kind != "meets" or not is_of_absence(one.text):
        return None
    message = (
        "reads as if something must be absent, which no quotation can prove: "
        "write what must not be there after `never:` (kind `never`), and the judge looks for it"
    )
    broken = describe_broken(one.text.rstrip("."))
    optional = "" if one.required else "optional: "
    return ErrorCode.CRITERION_READS_AS_ABSENCE, message, broken and f"{optional}never: {broken}"


def _find_vague(one: Criterion) -> Warned | None:
    said = [word.lower() for word in WORD.findall(_VAGUE_WORD.sub(" ", one.text))]
    if any(word not in _FILLING for word in said) or re.search(r"\d", one.text) or QUOTED.search(one.text):
        return None
    if (vague := _VAGUE_WORD.search(one.text)) is None:
        return None
    instead = next(words for pattern, words in _VAGUE.items() if re.fullmatch(pattern, vague[0], re.IGNORECASE))
    optional = "" if one.required else "optional: "
    message = f"leaves to the judge what `{vague[0]}` is: say what one sees in a result that is so"
    return ErrorCode.CRITERION_VAGUE, message, f"{optional}{instead}"


RULES: Final[Sequence[Callable[[Criterion], Warned | None]]] = (
    _find_empty, _find_check, _find_unseen, _find_joined, _find_absence, _find_vague,
)  # fmt: skip


def find_warnings(criteria: Sequence[Criterion]) -> list[CriterionWarning]:
    """Return warnings about ambiguous criteria, in the order of the criteria, which are accepted all the same."""
    warnings = [*_apply_rules(criteria), *find_contradictions(criteria)]
    return sorted(warnings, key=lambda warning: warning.criterion)


def find_notes(criteria: Sequence[Criterion]) -> list[CriterionWarning]:
    """Return a note for each criterion without a warning that no single section of a long result can decide."""
    warned = {warning.criterion for warning in find_warnings(criteria)}
    return [
        CriterionWarning(
            code=ErrorCode.CRITERION_ABOUT_THE_WHOLE,
            criterion=place,
            message=f"criterion {place + 1} is about the whole: of a result longer than a section its head, its "
            "tail and a sample are judged, or the policy refuses (`whole`)",
        )
        for place, one in enumerate(criteria)
        if one.kind != "check" and place not in warned and is_about_the_whole(one.text)
    ]


def _apply_rules(criteria: Sequence[Criterion]) -> Iterator[CriterionWarning]:
    """Yield a warning for each criterion that a rule objects to, from the first such rule."""
    for place, one in enumerate(criteria):
        found = None if one.kind == "check" else next(filter(None, (rule(one) for rule in RULES)), None)
        if found is not None:
            code, message, suggestion = found
            yield CriterionWarning(
                code=code, criterion=place, message=f"criterion {place + 1} {message}", suggestion=suggestion
            )
