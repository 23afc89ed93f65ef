"""Find criteria about what no judge sees: it has the result, the task and references, and opens and runs nothing."""

from typing import Final, NamedTuple

from contracts.lint.words import SAYING, SUBJECT, compile_rules, cut_clauses

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
    """What no judge sees, what to write instead, and the criteria about it, a pattern a line."""

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
    """Return what a criterion is about that no judge sees, or None if a judge may see it."""
    asked = cut_clauses(text).rstrip(" .")
    is_given = _GIVEN.search(text.lower()) is not None
    return next((one for one, pattern in _RULES if not (one.may_be_given and is_given) and pattern.search(asked)), None)
