"""Find by patterns what a criterion is about: an absence, the whole result, or what no judge sees."""

import re
from collections.abc import Sequence
from textwrap import dedent
from typing import Final, NamedTuple

#: What may stand before a criterion's verb.
SUBJECT: Final = (
    r"(?:it|this|the\s+(?:answer|article|code|email|output|poem|reply|report|response|result|summary|text)"
    r"|es|sie|er|(?:der|die|das)\s+(?:antwort|artikel|bericht|code|e-?mail|ergebnis|gedicht|text|zusammenfassung))"
)
#: Characters of a criterion that patterns look at; a rule stands at its begin.
READ_MAX_CHARS: Final = 300
WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
#: What a criterion quotes is no part of what it says.
QUOTED: Final = re.compile(
    '"[^"]*"|`[^`]*`|\u201c[^\u201c\u201d]*\u201d|\u201e[^\u201c-\u201e]*.'
    "|\xab[^\xab\xbb]*\xbb|\u300c[^\u300c\u300d]*\u300d"
)

# What stands after these is said or described in the result, and not asked of it.
_CLAUSE: Final = re.compile(
    r"\b(?:although|because|if|that|unless|until|when|where|whether|which|while|who|whom|whose|why|how)\b"
    r"|\b(?<!matches )what\b"
    r"|\b(?:dass|warum|weil|weshalb|wieso)\b|:\s"
    r"|,\s*(?:\w+\s+)?(?:das|dem|den|der|deren|dessen|die|falls|ob|wann|was|welche\w*|wem|wen|wenn|wer|wie|wo|woher|wohin)\b"
)
#: Verbs by which a result says something, so that it need not be so.
SAYING: Final = (
    r"(?:adds?|advises?|announces?|answers?|apologi[sz]es?|argues?|asks?|begins?|cites?|claims?|compares?|concludes?"
    r"|confirms?|contains?|counts?|defines?|describes?|discuss(?:es)?|ends?|explains?|gives?|has|have|identif(?:y|ies)"
    r"|includes?|instructs?|links?|lists?|makes?|mentions?|names?|notes?|offers?|points?|proposes?|provides?|puts?"
    r"|quotes?|rates?|recommends?|refers?|repeats?|reports?|says?|sets?|shows?|specif(?:y|ies)|starts?|states?"
    r"|suggests?|summari[sz]es?|tells?|translates?|uses?|warns?"
    r"|beantwortet|begr\xfcndet|beginnt|beschreibt|best\xe4tigt|bietet|bittet|empfiehlt|endet|enth\xe4lt|erkl\xe4rt"
    r"|erl\xe4utert|erw\xe4hnt|fasst|fragt|f\xfchrt|gibt|hat|listet|nennt|sagt|schl\xe4gt|teilt|vergleicht|verlinkt"
    r"|verweist|verwendet|warnt|weist|z\xe4hlt|zeigt|zitiert)"
)
_DETERMINER: Final = (
    r"(?:the|its|their|our|your|this|these|each|every|all|any|both|no"
    r"|der|die|das|den|dem|des|ihre?|seine?|unsere?|jede[rs]?|alle|beide)"
)
# A subject of up to six words, in which no verb says something; what comes next is asked of the result.
_BEGIN: Final = (
    rf"\A(?:(?:{_DETERMINER}\s+){{1,2}}[\w'\u2019-]+\s+|(?!(?:{SAYING}|{_DETERMINER})\b)[\w'\u2019-]+\s+){{0,6}}?"
)


def compile_rules(rules: str, flags: int = 0) -> re.Pattern[str]:
    """Return a pattern that matches what any of several does, one a line; an indented line continues the last one.

    A space stands for white space, and a leading `>` for the subject that a text may begin with.
    """
    lines = re.sub(r"\n +", " ", re.sub(r"\n +\|", "|", dedent(rules).strip())).splitlines()
    after_subject = "|".join(line[1:] for line in lines if line[0] == ">")
    found = [f"(?:{line})" for line in lines if line[0] != ">"]
    found += [f"{_BEGIN}(?:{after_subject})"] if after_subject else []
    return re.compile("|".join(found).replace(" ", r"\s+"), flags)


def read_bare(text: str) -> str:
    """Return the first READ_MAX_CHARS characters of a text in lower case, without what the text quotes."""
    return QUOTED.sub("\0", text[:READ_MAX_CHARS]).lower()


def cut_clauses(text: str) -> str:
    """Return a criterion in lower case, without quotations, up to its first clause about the result's words."""
    bare = read_bare(text)
    clause = _CLAUSE.search(bare, 1)
    return bare[: clause.start()] if clause else bare


# "No more than", "not only" and "is not empty" ask for nothing to be absent, and "No. 5" is a number.
_NOT: Final = (
    r"(?![-.]\s*\w)"
    r"(?! (?:(?:more|less|mehr|\w+er) (?:than|als)|only|just|merely|nur|blo\xdf|empty|blank|leer|exceed\w*)\b)"
)
_HAS: Final = r"(?:contains?|gives?|has|have|includes?|makes?|mentions?|names?|shows?|uses?|there (?:is|are))"
_HAS_DE: Final = r"(?:enth\xe4lt|erw\xe4hnt|gibt|hat|macht|nennt|nutzt|stellt|verwendet|wiederholt|zeigt|zitiert)"
_IS_DE: Final = r"(?:darf|d\xfcrfen|haben|ist|kann|k\xf6nnen|muss|m\xfcssen|sind|soll|sollen|sollten?|werden|wird)"
_DONE: Final = r"(?:composed|done|explained|formatted|formulated|made|phrased|told|worded|written)"

#: Of "says why it was not closed" and "the price without VAT" nothing is absent: the negation must be the result's.
_ABSENCE: Final = compile_rules(rf"""
    \A(?:no|none|not|nothing|never|kein\w*|nie|niemals|nichts?)\b{_NOT}
    \A(?:free (?:of|from)|frei von|ohne|weder|without)\b
    >(?:must|should|may|can|shall|will|does|do|is|are|has|have) (?:not|never)\b{_NOT}
    >(?:cannot|(?:must|should|ca|wo|does|do|is|are|has|have)n['\u2019]t)\b{_NOT}
    >(?:avoids?|lacks?|never|omits?|vermeidet|meidet|verzichtet auf|says? nothing)\b
    >(?:(?:must|should|may|can|shall|will) )?{_HAS} (?:no|nothing)\b{_NOT}
    >(?:is|are|be|ist|sind) (?:free (?:of|from)|frei von) (?!charge\b|cost)
    >(?:(?:is|are|be) )?(?:{_DONE}|begins|closes|does|ends|opens|rhymes|works) without\b
    \bwithout (?:giving|mentioning|naming|quoting|repeating|saying|using|errors|jargon|mistakes|typos)\b
    >{_IS_DE}\b[^,;:]{{0,80}}\b(?:kein\w*|nichts?|nie|niemals)\b{_NOT}
    >{_HAS_DE}\b[^,;:]{{0,60}}\b(?:kein\w*|nichts)\b{_NOT}
    >(?:ist|kommt|sind|wird)\b[^,;:]{{0,60}}\bohne\b[^,;:]{{0,60}}\b(?:aus|formuliert|geschrieben|verfasst)\b
    \bohne (?:fachbegriffe|fachw\xf6rter|fehler|fremdw\xf6rter|jargon|rechtschreibfehler)\b
    \bnicht\Z
    \A(?:sans|sem|senza|\u0431\u0435\u0437)\b
    \b(?:jamais|aucune?|nunca|ning\xfan|ningun\w*|n\xe3o|nessun\w*|\u043d\u0435
        |\u043d\u0438\u043a\u043e\u0433\u0434\u0430)\b
    \u4e0d[\u5f97\u8981\u80fd\u5e94\u53ef\u542b\u5305\u51fa\u4f7f]|\u6ca1\u6709|\u7981\u6b62|\u907f\u514d
    (?:\u306a\u3044|\u307e\u305b\u3093)(?:\u3053\u3068)?\Z|[\uc5c6\uc54a]\S*\Z
""")
_NEGATED: Final = compile_rules(
    rf"""
    (?:{SUBJECT} )?(?:(?:must|should|may|can|shall|does|do|is|has) (?:not|never)|cannot|never|avoids?|lacks?
        |(?:must|should|ca|does|do|is|has)n['\u2019]t|(?:has |there (?:is|are) )?no|without|kein\w*|ohne|sans
        |aucune?|nessun\w*) (?:be |have )?(.+)
""",
    re.IGNORECASE,
)
#: By the form of what must be absent, what a result that breaks it has or does.
_BROKEN: Final[Sequence[tuple[re.Pattern[str], str]]] = (
    (_NEGATED, r"\1"),
    *(
        (compile_rules(rf"(?:{SUBJECT} )?{pattern}", re.IGNORECASE), broken)
        for pattern, broken in (
            (rf"({_HAS}|{_HAS_DE}) (?:no|kein\w*) (.+)", r"\1 \2"),
            (r"(says?|mentions?) nothing (.+)", r"\1 anything \2"),
            (r"(?:(?:is|are|must be|should be) )?(\w+(?:ed|en)) without (.+)", r"\1 with \2"),
            (r"(?:(?:is|are|must be|should be) )?free (?:of|from) (.+)", r"contains \1"),
            (r"nothing (.+)", r"anything \1"),
        )
    ),
)
# Who must avoid one thing and do another has two criteria.
_MORE: Final = re.compile(r"\b(?:and|but|except|unless|und|et|y|e)\b|;", re.IGNORECASE)


def is_of_absence(text: str) -> bool:
    """Return whether a criterion demands that something is absent from a result."""
    return _ABSENCE.search(cut_clauses(text).rstrip(" .\u3002")) is not None


def describe_broken(text: str) -> str | None:
    """Return in words how a result violates a criterion of absence, or None if no rule has words for that."""
    if _MORE.search(QUOTED.sub("", text)):
        return None
    for pattern, broken in _BROKEN:
        if match := pattern.fullmatch(text):
            words = match.expand(broken)
            return words if pattern is _NEGATED else words[0].lower() + words[1:]
    return None


# What a criterion names as part of the task is before the judge.
_GIVEN: Final = compile_rules(r"""
    \b(?:above|brief|description|input|payload|question|(?:the|a|its) reference|request|task)\b
    \b(?:anfrage|aufgabe|auftrag|beschreibung|eingabe|frage|oben)n?\b
""")
_ASKED: Final = rf"\A(?!(?:{SUBJECT} )?{SAYING}\b)"
_KEEPS: Final = (
    r"(?:according to|adheres? to|agrees? with|as (?:defined|described|in|laid|per|required|specified|stated)|based on"
    r"|compatible with|compl(?:y|ies) with|conforms? to|consistent with|corresponds? to|follows?|fulfil(?:s|ls)?"
    r"|identical to|in line with|keeps? to|match(?:es)?|meets|obeys|respects?|satisfies|sticks? to|beachtet|befolgt"
    r"|entspricht|erf\xfcllt|folgt|gem\xe4\xdf|h\xe4lt(?: sich an)?|identisch mit|laut|passt zu[mr]?|richtet sich nach"
    r"|stimmt mit)"
)
_TAKES: Final = r"(?:fits?|reflects?|takes|uses?|nutzt|\xfcbernimmt|verwendet)"
_BEFORE: Final = r"(?:last|previous|earlier|prior|yesterday's|(?:letzte|vorige|vorherige|fr\xfchere)\w*)"
_PICTURE: Final = (
    r"(?:animation|chart|drawing|icon|illustration|image|logo|photo|photograph|picture|recording|screenshot|video"
    r"|abbildung|bild|foto|grafik|zeichnung)(?:s|er|en)?"
)
_PROGRAM: Final = (
    r"(?:api|app|application|bot|code|command|container|demo|endpoint|function|image|library|migration|notebook|page"
    r"|package|program|project|query|script|server|service|site|tool|website|abfrage|anwendung|dienst|programm|seite|skript)"
)
_FACTS: Final = (
    r"(?:address|citation|claim|data|date|fact|figure|information|number|quotation|quote|reference|source|statement"
    r"|statistic|adresse|angabe|aussage|behauptung|daten|fakt|information|\w*nummer|quelle|zahl|zitat)(?:s|es|e|n|en)?"
)
_RECENT: Final = r"(?:latest|newest|current|most recent|up-to-date|today's|(?:aktuell|heutig|j\xfcngst|neuest)\w*)"
_NEWS: Final = (
    r"(?:data|exchange|figures|guidelines|information|laws?|legislation|news|numbers|prices?|rates?|release|research"
    r"|sources?|state of the law|statistics|version|weather|daten|fassung|gesetz\w*|informationen|kurse?|preise?"
    r"|quellen|rechtslage|stand|version|zahlen|zinsen)"
)
_PERSON: Final = (
    r"(?:audience|boss|client|colleague|customer|department|editor|expert|human|lawyer|legal|management|manager|peer|person"
    r"|qa|reader|reviewer|team|user|chef|kunde|kunden|leser|nutzer)s?"
)


class Unseen(NamedTuple):
    """A thing that no judge sees, a text to write instead, and patterns of criteria about the thing, one a line."""

    what: str
    instead: str
    criteria: str
    may_be_given: bool = False


_UNSEEN: Final = (
    Unseen(
        "a document that is elsewhere",
        "It keeps to each rule of the guide in the payload",
        rf"""
        \A(?!(?:\w+ ){{0,2}}?(?:announces?|asks?|confirms?|lists?|mentions?|names?|points?|refers?|says?|bittet
            |erw\xe4hnt|nennt|sagt|verweist)\b).*\b(?:attached(?! to\b)|attachments?|enclosed(?! (?:by|in|with)\b)
            |im anhang|(?:angeh\xe4ngt|beigef\xfcgt|beiliegend)\w*)\b
        \b(?:{_KEEPS}|{_TAKES}) (?:\S+ ){{0,4}}?(?:brand|(?:company|firm|team)(?:'s)?|corporate|house|in-house
            |internal|my|our|unser(?:e[mnrs]?)?|interne[mnrs]?)\b
        \b{_KEEPS} (?:\S+ ){{0,3}}?(?:the|dem|den|der) (?:\w+ )?(?:codebase|conventions?|crm|database|design
            |document|file|glossary|guide|guidelines|handbook|manual|mock-?up|repository|slack|spec|specification
            |style-?guide|template|ticket|wiki|datei|datenbank|dokument|glossar|handbuch|leitfaden|richtlinien
            |vorlage)\b(?! (?:by|name|of|pattern)\b)
        \b(?:file|datei) \S+\.\w{{2,4}}\s*\Z
        \A(?:see|siehe|refer to)\b|\b(?:{_KEEPS}|{_TAKES}) .*\b(?:agreed|vereinbart\w*)\b|\bas (?:agreed|before
            |discussed|usual)\b
        \bwie (?:\w+ ){{0,2}}(?:abgesprochen|besprochen|gehabt|immer|\xfcblich|vereinbart)\b
        \b(?:\w+er (?:than|als)|as in|as|improvement (?:on|over)|like|wie
            |{_KEEPS})\b.{{0,30}} {_BEFORE} (?:\w+'s )?(?:answer|attempt|draft|e-?mail|meeting|one|report|result
            |submission|time|version|antwort|bericht|entwurf|ergebnis|fassung|mal|woche)s?\b
        \b\w+er (?:than before|als (?:vorher|zuvor))\b
        \bcorporate design\b|\A(?:is|has|ist|the|das|die) (?:an? |eine? )?(?:docx|pdf|powerpoint|zip)\b
        \b(?:opened|opens) in (?:excel|powerpoint|word)\b|\bin (?:excel|powerpoint|word) \xf6ffnen\b
        """,
        may_be_given=True,
    ),
    Unseen(
        "what stands at an address, which nobody opens",
        "It keeps to each rule of the page whose text is in the payload",
        rf"\b(?:{_KEEPS}|{_TAKES}|answers|covers|summari[sz]es|translates|fasst|\xfcbersetzt)\b.*\b(?:https?://|www\.)\S",
    ),
    Unseen(
        "whether a link leads anywhere, and nobody opens it",
        r"check: matches /https?:\/\/[^\s)]+/",
        r"""
        \b\w*(?:links?|urls?)(?: \w+){0,2} (?:works?|loads?|opens?|resolves?|returns?|funktionier\w*|geht|gehen
            |\xf6ffne\w*)\b
        \b(?:links?|urls?|website) (?:is|are|must be|should be|ist|sind) (?:\w+ )?(?:accessible|alive|broken|dead
            |functional|live|online|reachable|valid|working|erreichbar|g\xfcltig|kaputt|tot)\b
        """,
    ),
    Unseen(
        "how something looks or sounds, of which the judge has no image",
        "It describes in words what one sees in the image",
        rf"""
        {_ASKED}(?!.*\b(?:alt|captions?|descriptions?|titles?|bildunterschrift\w*
            |alternativtext\w*)\b).*\b{_PICTURE} (?:(?:in|on|of|auf)
            (?:the|dem|der) \w+ )?(?:are|depicts?|displays?|fits?|has|have|is|loads?|looks?|match(?:es)?|must|plays
            |shows?|should|suits?|hat|haben|ist|l\xe4uft|passt|sieht|sind|wirkt|zeigt|zeigen)\b(?! (?:described
            |explained|named|numbered)\b)
        \b(?:contains?|has|includes?|is|shows?|enth\xe4lt|hat|ist|zeigt) (?:an?|one|the|ein\w*|das
            |die) (?:\w+ )?{_PICTURE}
            (?:in which|of|showing|with(?! (?:alt|an? caption))|der|des|einer|eines|mit|von)\b
        \bthe (?:audio|colou?rs|fonts?|layout|sound) (?:is|are|fits?|looks?|match(?:es)?)\b|\bdie farben (?:passen
            |sind)\b
        \b(?:the|das) diagram(?:m)? (?:fits|looks|matches|shows|passt|zeigt)\b|\b(?:clean|good|modern
            |nice) (?:design|layout)\b
        \b{_KEEPS} (?:(?:the|dem|den|der|das) )?{_PICTURE}\b
        \blooks? (?:attractive|fine|good|great|modern|nice|professional|right)\b|\bsieht (?:\w+ ){{0,5}}aus\b
            |\bresponsive\b
        \brenders? (?:correctly|fine|well|without)\b|\bin (?:all|any|every|modern) browsers?\b
        \b(?:displayed|fits|funktioniert|legible|lesbar|looks|readable|usable|works) (?:on (?:a phone|all devices
            |mobile|smartphones?)|auf (?:dem handy|mobilger\xe4ten|smartphones?))\b
        """,
    ),
    Unseen(
        "what happens when something runs, and nobody runs it",
        "It quotes the output of the run, with the number of tests that passed",
        rf"""
        {_ASKED}.*\b(?:\w*tests?|ci|ci checks|linters?)\b.{{0,40}}\b(?:pass(?:es|ed|ing)?(?:\s*\Z| (?:again|in
            |locally|on|under|with)\b)|succeed(?:s|ed)?|(?:is|are|ist|sind) (?:green|erfolgreich|gr\xfcn)|bestehen
            |laufen)\b|\A(?:\w+ )?pytest passes\b
        \bpasses (?:(?:all|its|our|the) )*(?:\w+ )?(?:build|checks?|ci|lint|linter|mypy|pipeline|pytest|tests?
            |validator)\b
        \bbesteht (?:\w+ )?\w*tests?\b|\b(?:latency|response time|throughput|antwortzeit|ladezeit)\b
        \b(?:test coverage|testabdeckung)\b|\A(?:the )?(?:build|ci|deployment|pipeline) (?:is|passes|passed
            |succeeds|succeeded|works)\b
        >(?:compiles|kompiliert)(?:\s*\Z| (?:in|on|under|with|without|mit|ohne|unter)\b)
        {_ASKED}(?:(?:\w+ ){{0,3}}?(?:{_PROGRAM}|it) )?(?:boots|builds|deploys|executes|installs|loads|runs|starts
            |works)(?:\s*\Z| (?:as expected|correctly|everywhere|fast|fine|flawlessly|from (?:start|top)
            |in(?! place\b| o\(| \w+ (?:steps|time)\b)|locally|offline|on(?! port\b)|quickly|successfully|under
            |within|without)\b)
        {_ASKED}(?:(?:\w+ ){{0,3}}?{_PROGRAM} )?(?:is running|funktioniert|l\xe4uft|startet)(?:\s*\Z| (?:auf
            |fehlerfrei|in|ohne|unter|wie)\b)
        \b(?:answers|completes|finishes|loads|responds|returns|runs) (?:in|within) (?:(?:less than
            |under) )?\S+ (?:ms|milliseconds?|seconds?)\b|\b(?:antwortet|l\xe4dt|l\xe4uft) in (?:unter|weniger als
            |h\xf6chstens)\b
        \bl\xe4sst sich (?:\w+ )?(?:ausf\xfchren|bauen|installieren|kompilieren|starten|\xfcbersetzen)\b
        """,
    ),
    Unseen(
        "what is so today, which the judge does not know",
        "It names the date of each of its sources",
        rf"""
        >(?:is|are|be|stays?|remains?|ist|sind|bleibt|bleiben) (?:\w+ )?(?:up[- ]to[- ]date|current
            |out\s*dated|recent|the (?:latest|newest)(?: \w+)?|state of the art|still (?:available|correct|in force
            |open|true|valid)|aktuell|noch (?:aktuell|g\xfcltig|richtig)|auf (?:dem )?(?:aktuelle|letzte
            |neueste)[mn] stand)(?:\s*\Z| (?:as of|with)\b)
        \b(?:based on|cites?|contains?|gives?|names?|quotes?|relies on|shows?|states?|{_TAKES}|entspricht
            |enth\xe4lt|gibt|nennt)
            (?:(?:only|the|die|das|dem|den|der) )*{_RECENT} (?:\w+ )?{_NEWS}\b
        """,
        may_be_given=True,
    ),
    Unseen(
        "whether something is true or reliable, which the judge cannot look up",
        "Every name, number and date in it stands in the payload",
        rf"""
        \b{_FACTS} (?:is|are|be|ist|sind) (?:\w+ )?(?:accurate|authentic|correct|genuine|real(?! number)|reliable
            |right(?![ -]align)|true|trustworthy|verified|echt|korrekt|richtig|verl\xe4sslich|wahr|zuverl\xe4ssig)\b
        \b{_FACTS} (?:stimmt|stimmen)\s*\Z|\b(?:everything|alles) (?:in it )?(?:is (?:correct|true)|ist (?:richtig
            |wahr)|stimmt)\b
        \b(?:{_FACTS}|articles?|books?|links?|pages?|papers?|persons?|places?|stud(?:y|ies)) (?:really )?(?:exists?
            |existier\w+)\s*\Z
        \b(?:factually|faktisch|sachlich) (?:accurate|correct|true|korrekt|richtig)\b
        """,
        may_be_given=True,
    ),
    Unseen(
        "what was done elsewhere, or how the result was made",
        "It quotes the confirmation of what was done, with its number or time",
        rf"""
        >(?:was|were|gets?|(?:has|have) been) (?:\w+ly )?(?:approved|checked|committed|delivered|deployed
            |informed|installed|merged|notified|posted|proofread|pushed|released|reviewed|saved|sent|shipped|signed off
            |stored|submitted|tested|uploaded|verified)\b
        >(?:has|have) been (?:made|published)\b
        >(?:is|are|be) (?:approved|committed|deployed|merged|pushed|uploaded)\s*\Z
        \b(?:approved|checked|liked|proofread|reviewed|signed off|tested|verified)
            by (?:(?:a|an|the) )?(?:\w+ )?{_PERSON}\b
        \A(?:the )?(?:branch|issue|pr|pull request|ticket) (?:is|was) (?:closed|merged|open|resolved)\b
        \A(?:{SUBJECT} )?(?:was|has been) (?:completed|created|done|drafted|finished|generated|made|produced
            |written) (?:by|from|in (?:less|one|under)|with|within|without)\b
        >(?:wurden?|ist|sind)\b.{{0,60}}\b(?:abgeschickt|benachrichtigt|committet|freigegeben|gemergt
            |genehmigt|gepr\xfcft|gepusht|gesendet|gespeichert|hochgeladen|informiert|ver\xf6ffentlicht|verschickt
            |versandt|zugestellt)(?: worden)?\s*\Z
        \A(?:{SUBJECT} )?wurden?\b.*\b(?:erstellt|geschrieben|verfasst)\s*\Z
        \A(?:the|der|das) (?:agent|assistant|model|modell|reviewer) (?:checked|consulted|did
            |has (?:not )?\w+(?:ed|d|n|t)|looked|opened|ran|read|searched|tested|used|hat)\b
        \A(?:{SUBJECT} )?(?:cost|needed|took|dauerte) (?:at most|less|no more|under|h\xf6chstens|weniger)\b
        \A(?:{SUBJECT} )?did not (?:call|cost|need|take|use)\b|\bplagi(?:ari|at)\w*|\bseo\b
        """,
    ),
    Unseen(
        "what people think of it, whom nobody asks",
        "It answers each question that the description asks",
        rf"""
        \b{_PERSON} (?:is|are|be|will be|feels?|ist|sind) (?:\w+ )?(?:convinced|delighted|happy|impressed|pleased
            |satisfied|begeistert|\xfcberzeugt|zufrieden)\b
        \b{_PERSON} (?:(?:will )?(?:enjoy|like)|enjoys?|likes?|loves?|approves?)\b|\b(?:kunden?|lesern
            |nutzern)\b.{{0,20}}\bgef[a\xe4]ll
        """,
    ),
)
_RULES: Final = [(unseen, compile_rules(unseen.criteria)) for unseen in _UNSEEN]


def find_unseen(text: str) -> Unseen | None:
    """Return the thing that no judge sees, if a criterion is about such a thing; else None."""
    asked = cut_clauses(text).rstrip(" .")
    is_given = _GIVEN.search(text.lower()) is not None
    return next((one for one, pattern in _RULES if not (one.may_be_given and is_given) and pattern.search(asked)), None)


_NUMBER: Final = (
    r"(?:\d[\d.,]*|a|an|one|two|three|four|five|six|seven|eight|nine|ten|twelve|eine?[mnrs]?|zwei|drei|vier|f\xfcnf|sechs"
    r"|sieben|acht|neun|zehn|zw\xf6lf)"
)
_UNIT: Final = (
    r"(?:characters?|columns?|digits|entries|headings?|items?|lines?|pages?|paragraphs?|points?|rows?|sections?"
    r"|sentences?|stanzas?|steps?|verses?|words?|abs\xe4tze|eintr\xe4ge|punkte|s\xe4tze|schritte|seiten|w\xf6rter|zeichen|zeilen)"
)
_LANGUAGE: Final = (
    r"(?:arabic|chinese|czech|danish|dutch|english|finnish|french|german|greek|hebrew|hindi|italian|japanese|korean|latin"
    r"|norwegian|polish|portuguese|russian|spanish|swedish|turkish|ukrainian|arabisch|chinesisch|deutsch|englisch|franz\xf6sisch"
    r"|italienisch|japanisch|niederl\xe4ndisch|polnisch|portugiesisch|russisch|spanisch|t\xfcrkisch)"
)
_WHOLE: Final = compile_rules(rf"""
    \b(?:always|consistent(?:ly)?|each|entire(?:ly)?|every\w*|exclusively|throughout|unique)\b
    (?<!\babove\x20)(?<!\bafter\x20)(?<!\bat\x20)(?<!\bin\x20)\ball\b(?! right\b)
        |(?<!\bnot\x20)(?<!\bthe\x20)(?<!-)\bonly\b(?!-)
    \bwhole\b(?! (?:grain|milk|number))
    \b(?:at most|no (?:more|longer) than|not exceed|maximum of|exactly) {_NUMBER}\b
    \b(?:under|below|within|less than|fewer than|shorter than|up to) {_NUMBER} {_UNIT}\b
    \bbetween {_NUMBER} (?:and|to) {_NUMBER} {_UNIT}\b
    >(?:written|phrased|worded|composed) in \w|\A(?:{SUBJECT} )?in (?:\w+ )?{_LANGUAGE}\b
    \b(?:answers?|are|be|is|replies|responds?|stays) in (?:\w+ )?{_LANGUAGE}\b|\bthe language (?:is|must)\b
    \bin (?:the )?(?:first|second|third|present|past) (?:person|tense)\b|\bin (?:prose|rhyme|verse)\b
    \b(?:alphabetical(?:ly)?|ascending|chronological(?:ly)?|descending|sorted|ordered by|duplicates?)\b
    \bthe (?:register|spelling|style|tone|voice|wording) (?:is|must|should|stays|remains|fits|suits)\b
    \b(?:british|american|formal|informal|gender-neutral|plain|simple) (?:english|language|spelling|style|tone
        |words)\b
    (?<!\bvor\x20)\b(?:alle[nrs]?|gesamte[mnrs]?|insgesamt|jede[mnrs]?|jeweils|s\xe4mtliche\w*|\xfcberall)\b
    \b(?:ausnahmslos|ausschlie\xdflich|durchgehend|durchweg|einheitlich|immer(?! noch)|stets)\b
    (?<!\bnicht\x20)\bnur\b
    \b(?:h\xf6chstens|maximal|nicht (?:mehr|l\xe4nger) als|genau) {_NUMBER}\b
    \b(?:unter|weniger als|k\xfcrzer als|bis zu) {_NUMBER} {_UNIT}\b|\bzwischen {_NUMBER} und {_NUMBER} {_UNIT}\b
    \bauf {_LANGUAGE}\b|\bin (?:\w+ )?{_LANGUAGE}er sprache\b
    \bin (?:der )?(?:ersten|zweiten|dritten|ich-|du-|sie-|wir-)\s*(?:person|form)\b|\b(?:pr\xe4sens|pr\xe4teritum)\b
    \b(?:alphabetisch|chronologisch|sortiert|aufsteigend|absteigend)\b|\bder (?:stil|ton|tonfall) (?:ist|bleibt
        |passt)\b
""")
#: What a result says, explains or names is found in one place, whatever it is about.
_SAID: Final = re.compile(
    r"\b(?:because|how|that|whether|why)\b|\b(?:dass|warum|weil|weshalb|wieso)\b|,\s*(?:ob|wie)\b"
)


def is_about_the_whole(text: str) -> bool:
    """Return whether a criterion of the kind `meets` is about a result as a whole, so that no part of it decides.

    Demands on every part ("every", "only", "is written in"), upper bounds and absences are about the whole, too.
    """
    bare = read_bare(text)
    said = _SAID.search(bare, 1)
    return _WHOLE.search(bare[: said.start()] if said else bare) is not None or is_of_absence(text)
