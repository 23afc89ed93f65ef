"""The lint on criteria as people write them, in English and in German."""

import pytest

from contracts.criteria import CRITERION_MAX_CHARS, Criterion
from contracts.lint import find_warnings, is_about_the_whole

SOUND = """\
Explains why the ticket was not closed
States the price without VAT
Names the customers who have never paid
Says what the warranty does not cover
Lists the articles that are not in stock
Says that no refund is possible
Tells the reader what to do if the device will not start
Names two countries without a coast
Gives the total with and without shipping
Explains how to cancel without losing the deposit
Warns that the offer is no longer valid
Lists the invoices not yet paid
Describes the risk of doing nothing
Names one city with no airport
Says whether or not the contract was signed
Explains the difference between no answer and a wrong one
Quotes the rule that nobody may enter without a badge
Says that the train was late and it is cancelled
Names the test that failed and says why
Describes what the picture shows in one sentence
Mentions that the guide is attached
Names the current manager of the store
Says when the data was last updated
Explains how to run the tests
Links to https://example.com/terms
Names the latest order of the customer
Gives the date on which the email was sent
Says who approved the budget
Describes the image in one sentence of alt text
The figures are in thousands of euros
Explains why the build fails
Compares the revenue with last year's
The error message names the file that is missing
Asks for a photo of the damage
The greeting is followed by an empty line
Lists the steps by which one installs the app
Says that the tests pass only on Linux
Recommends one of the three offers and gives a reason
Mentions the attached invoice by its number
Names the version of Python that the script needs
The reply apologises for the late delivery
The function returns None for an unknown key
Answers each of the three questions in the payload
Follows the template in the payload
Has a heading for each day of the trip
Names a date by which the customer gets an answer
Gives the price per night, breakfast not included
The plan lists who reviews the text before it is published
Summarises the report in three sentences
Refuses the request and says which rule forbids it
Erkl\xe4rt, warum das Ticket nicht geschlossen wurde
Nennt den Preis ohne Mehrwertsteuer
Nennt die Kunden, die nie bezahlt haben
Sagt, was die Garantie nicht abdeckt
Listet die nicht gelieferten Artikel auf
Sagt, dass keine Erstattung m\xf6glich ist
Der Preis ist ohne Versandkosten angegeben
Nennt zwei L\xe4nder ohne K\xfcste
Begr\xfcndet, weshalb kein Termin frei ist
Erkl\xe4rt, wie man ohne Karte bezahlt
Warnt davor, das Ger\xe4t nicht auszuschalten
Sagt, ob der Vertrag unterschrieben wurde oder nicht
Nennt den Grund, aus dem die Tests nicht laufen
Erw\xe4hnt die beigef\xfcgte Rechnung mit ihrer Nummer
Beschreibt in einem Satz, was das Bild zeigt
Sagt, wann die E-Mail verschickt wurde
Nennt die aktuelle Leiterin der Filiale
Verlinkt auf https://example.com/agb
Sagt, dass die Tests nur unter Linux laufen
Die Zahlen stehen in tausend Euro
Jeder Absatz hat eine \xdcberschrift
Ist auf Deutsch geschrieben
Hat h\xf6chstens f\xfcnf Aufz\xe4hlungspunkte
Nennt den n\xe4chsten Schritt und wer ihn macht
Vergleicht den Umsatz mit dem des Vorjahres
Gibt die Summe mit und ohne Rabatt an
Bittet um ein Foto des Schadens
Die Anrede nennt den Namen des Kunden
Sagt, wer das Budget freigegeben hat
Lehnt die Anfrage ab und nennt die Regel, die sie verbietet
"""
ABOUT_THE_WHOLE = """\
Is written in French
It is in German
The letter is written in plain English
has at most 200 words
At most five items
Has no more than three paragraphs
Every claim has a source
Each section has a heading
Gives a reason for each recommendation
All prices are in euros
Uses only metric units
The tone is friendly throughout
Is under 100 words
Contains no advertising
Never mentions money
The entries are sorted by date
Uses British spelling
Has exactly three members
Is written in the first person
The answer is consistent
Between 100 and 200 words
Ist auf Deutsch geschrieben
Hat h\xf6chstens 200 W\xf6rter
Jeder Absatz hat eine \xdcberschrift
Alle Preise sind in Euro
Verwendet nur metrische Einheiten
Der Ton ist durchgehend h\xf6flich
Nennt keine Preise
Ist in deutscher Sprache verfasst
Nicht mehr als f\xfcnf S\xe4tze
S\xe4mtliche Behauptungen sind belegt
Der Text ist alphabetisch sortiert
The whole text rhymes
Responds entirely in verse
No sentence is longer than 25 words
Written without jargon
The text stays in the past tense
Everything is in the metric system
Lists all twelve months
Is at most two pages long
Does not exceed 500 words
Answers in French
The language is French
Alles ist in Euro angegeben
Ist h\xf6chstens zwei Seiten lang
\xdcberschreitet 200 W\xf6rter nicht
Antwortet auf Franz\xf6sisch
Each row has a price
Uses the same currency throughout
Enth\xe4lt keine Werbung
Ist durchweg im Pr\xe4sens
The answer must be in formal English
Consists of exactly three stanzas
Is free of spelling mistakes
Is frei von Rechtschreibfehlern
Alle Zahlen haben eine Einheit
Always addresses the reader by name
"""
ABOUT_A_PART = """\
Names the capital
Says that every member voted
Explains why all trains were late
Lists at least five reasons
It names not only Lisbon but Porto
Says when the invoice was paid
It costs $5 in all
Has at least one example
Names the only survivor
Says which poem was written in Latin
Explains how each part works
Says "every"
Names a read-only replica
States the total in euros
Above all it names the price
The first paragraph says who bought whom
Mentions the sea
Ends with a question
Says that it is at most 5
Nennt die Hauptstadt
Sagt, dass alle Z\xfcge ausfielen
Erkl\xe4rt, warum jeder Zug ausfiel
Nennt vor allem den Preis
Nennt nicht nur Lissabon
Nennt mindestens drei Gr\xfcnde
Enth\xe4lt ein Beispiel
Explains why the ticket was not closed
States the price without VAT
Gives an overall score
Proposes a date within two weeks
States the author and the year
Has a title in German
Gives a reason for the delay
Contains a table of the costs
Says how much each guest pays
Nennt den Grund der Versp\xe4tung
Sagt, wie viel jeder Gast zahlt
Mentions both risks
Warns of wholesale fraud
Quotes the second clause
Names one of the heirs
Gives the year in which the novel was written in Paris
Bietet eine Alternative an
Enth\xe4lt eine Tabelle der Kosten
Explains what a lease is before it uses the word
"""


@pytest.mark.parametrize("text", SOUND.splitlines())
def test_a_sound_criterion_is_left_in_peace(text: str) -> None:
    assert find_warnings([Criterion(text=text)]) == []


@pytest.mark.parametrize("text", ABOUT_THE_WHOLE.splitlines())
def test_what_holds_of_each_part_is_about_the_whole(text: str) -> None:
    assert is_about_the_whole(text)


@pytest.mark.parametrize("text", ABOUT_A_PART.splitlines())
def test_what_stands_in_one_place_is_not_about_the_whole(text: str) -> None:
    assert not is_about_the_whole(text)


@pytest.mark.parametrize(
    "text", ["no " * 600, "the " * 500, "a the " * 300, "the all no " * 180, "x " * 1_000, "is in " * 300, "ist " * 500]
)
def test_what_a_long_criterion_is_about_is_seen_at_once(text: str) -> None:
    for _ in range(100):
        is_about_the_whole(text[:CRITERION_MAX_CHARS])
