"""What is said to somebody whose text may show who a person is: why it matters, and what they could write instead.

It is said before anything is published, to people who write of the worst months of their lives: nobody is lectured, and
nothing is forbidden.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from moderation.screening.finding import Finding


def mark(text: str) -> str:
    """Mark a sentence that pages say too: `tests/web/catalogue.py` finds it, so that it is translated."""
    return text


class Advice(NamedTuple):
    """Why something matters, and what could stand there instead."""

    why: str
    instead: str


_OF_MONEY = Advice(
    mark("With this number, somebody could try to take money."),
    mark("Leave it out. For help with money, a charity or an adviser never needs it here."),
)
ADVICE: Mapping[str, Advice] = {
    "email": Advice(
        mark("This is an e-mail address. Anybody who reads it can write to it, for years."),
        mark("Leave it out, and ask in the thread instead."),
    ),
    "handle": Advice(
        mark("With this name, anybody can find the person elsewhere on the internet."),
        mark("Leave it out. You can say on which app it was."),
    ),
    "iban": _OF_MONEY,
    "card": _OF_MONEY,
    "bank_account": _OF_MONEY,
    "nhs_number": Advice(
        mark("This is an NHS number. It belongs to one person alone, and leads to their records."),
        mark("Leave it out, or write “their NHS number”."),
    ),
    "ni_number": Advice(
        mark("This is a National Insurance number. It belongs to one person alone."),
        mark("Leave it out. Nobody here needs it."),
    ),
    "telephone": Advice(
        mark("This looks like a telephone number. Anybody who reads it can ring it."),
        mark("Leave it out. If somebody should have it, ask a moderator first."),
    ),
    "citation": Advice(
        mark("This names a published judgment. If it is about you, it shows who you are here."),
        mark("If it is about somebody else, you can leave it as it is."),
    ),
    "court_number": Advice(
        mark("This is the number of a court case. Whoever knows the case knows who writes here."),
        mark("Write “our case” instead."),
    ),
    "police_reference": Advice(
        mark("With this reference, somebody who is part of the case knows who writes here."),
        mark("Write “I reported it to the police” instead."),
    ),
    "birth_date": Advice(
        mark("A date of birth belongs to few people. With one more thing, it shows who it is."),
        mark("Write about how old they are: “at primary school”, “a teenager”."),
    ),
    "hearing": Advice(
        mark("With the day of a hearing, somebody from the court can tell whose case this is."),
        mark("Write “soon” or “last month” instead."),
    ),
    "address": Advice(
        mark("This is an address. Anybody who reads it can go there."),
        mark("Write “near me”, or which part of the country it is in."),
    ),
    "postcode": Advice(
        mark("A postcode is about fifteen houses. It shows where somebody lives."),
        mark("Write which part of the country it is in instead."),
    ),
    "vehicle": Advice(
        mark("A number plate leads to one car, and to the person who drives it."),
        mark("Write “a dark car” instead."),
    ),
    "school": Advice(
        mark("The name of a school shows where a child is each day."),
        mark("Write “the school” or “nursery” instead."),
    ),
    "professional": Advice(
        mark("This names somebody at work. They may read here, and so may others who know whose case they have."),
        mark("You could write “the social worker” or “the judge”. You can also leave it as it is."),
    ),
    "child": Advice(
        mark("This looks like a child’s name. The child cannot choose who reads it."),
        mark("Write “my eldest”, “my little one”, or a letter."),
    ),
    "person": Advice(
        mark("This looks like somebody’s real name. Whoever knows them knows who writes here."),
        mark("Write “my ex”, “my mum”, or a letter. For yourself, use the name that you have here."),
    ),
    "identifies_child": Advice(
        mark("Taken together, this could show who a child in a family court case is. The law protects that."),
        mark("Leave out one or two of these things: the name, the place or the school."),
    ),
    "identifies_complainant": Advice(
        mark(
            "This could show who somebody is to whom sexual harm was done. They have a right to stay unknown, for life."
        ),
        mark("Leave out the name, or what shows who it is."),
    ),
    "court_paper": Advice(
        mark(
            "This looks like a page of court papers. As a rule, they may be shown only to those whom the court allows."
        ),
        mark("Say in your own words what worries you. You can ask about any word in it."),
    ),
}
# What an identification is put together from.
PIECES: Mapping[str, str] = {
    "name": mark("a name"),
    "age": mark("an age"),
    "place": mark("a town or a council"),
    "school": mark("a school"),
    "judge": mark("a judge"),
    "hearing": mark("the day of a hearing"),
    "professional": mark("the name of somebody at work"),
    "address": mark("an address"),
    "court": mark("words about a court"),
    "offence": mark("words about sexual harm"),
    "relation": mark("who they are to you"),
}

_REGIONS: Mapping[str, str] = {
    mark(
        "Write “the north of England” instead."
    ): "BB BD BL CA CH CW DH DL DN FY HD HG HU HX L LA LS M NE OL PR S SK SR TS WA WF WN YO",
    mark("Write “the Midlands” instead."): "B CV DE DY HR LE LN NG NN ST SY TF WR WS WV",
    mark("Write “the east of England” instead."): "AL CB CM CO IP LU MK NR PE SG SS WD",
    mark("Write “London” instead."): "BR CR DA E EC EN HA IG KT N NW RM SE SM SW TW UB W WC",
    mark("Write “the south of England” instead."): "BN CT GU HP ME OX PO RG RH SL SO TN",
    mark("Write “the south-west of England” instead."): "BA BH BS DT EX GL PL SN SP TA TQ TR",
    mark("Write “Wales” instead."): "CF LD LL NP SA",
    mark("Write “Scotland” instead."): "AB DD DG EH FK G HS IV KA KW KY ML PA PH TD ZE",
    mark("Write “Northern Ireland” instead."): "BT",
}
_AREA = re.compile("[A-Za-z]{1,2}")
_REGION_OF = {area: region for region, areas in _REGIONS.items() for area in areas.split()}


def advice_on(finding: Finding, words: str) -> Advice:
    """Return what is said about a finding, which consists of these words."""
    advice = ADVICE[finding.recogniser]
    if finding.recogniser == "postcode" and (area := _AREA.match(words)):
        region = _REGION_OF.get(area[0].upper())
        return Advice(advice.why, region) if region else advice
    return advice
