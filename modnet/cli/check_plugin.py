"""The body of `modnet check-plugin`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import click

from modnet.cli.failures import FAILED
from modnet.cli.output import echo, echo_json, room, tell
from modnet.plugins.registry import default_registry
from modnet.testing.contract import Report, Row
from modnet.testing.distribution import Offer, offered_by
from modnet.words import counted, harmless

COLUMNS = ("uses", "passed", "failed", "not applicable", "not examined")

DISPENSABLE = ("not applicable", "not examined", "uses", "passed")
"""The columns that a narrow terminal does without, in this order."""


def run(distribution: str, by_rule: bool, as_json: bool) -> int:
    offers = offered_by(distribution, default_registry())
    if not offers and not as_json:
        tell(f"{distribution} offers no components, kernels or hooks: nothing to examine")
        return 0
    show = _nothing if as_json else _rules if by_rule else _Table(offers, room())
    reports: list[Report] = []
    broken = 0
    for offer in offers:
        found = offer.examine()
        reports += found
        faults = [(report, row) for report in found for row in report.failures]
        broken += bool(faults)
        show(offer, found, faults)
    if as_json:
        echo_json([_plain(report) for report in reports])
    else:
        _conclude(offers, reports, broken)
    return FAILED if broken else 0


Faults = Sequence[tuple[Report, Row]]


def _nothing(offer: Offer, reports: Sequence[Report], faults: Faults) -> None:
    """Nothing: everything is reported at the end."""


def _rules(offer: Offer, reports: Sequence[Report], faults: Faults) -> None:
    """Each rule, for each use."""
    tell("\n\n".join(map(str, reports)) + "\n")
    _show(faults)


class _Table:
    """One line for each thing on offer, below a heading, and what is broken in it.

    Args:
        width: of the terminal; columns that do not fit are left out, the least important first.
    """

    def __init__(self, offers: Sequence[Offer], width: int | None) -> None:
        self.columns = list(COLUMNS)
        self.widths = [max(4, *map(len, texts)) for texts in zip(*((o.kind, o.name) for o in offers), strict=True)]
        for column in DISPENSABLE:
            if width is not None and len(self._line(["kind", "type"], self.columns)) > width:
                self.columns.remove(column)
        echo(self._line(["kind", "type"], self.columns))

    def __call__(self, offer: Offer, reports: Sequence[Report], faults: Faults) -> None:
        line = harmless(self._line([offer.kind, offer.name], _counts(reports, self.columns)))
        echo(click.style(line, fg="red") if faults else line, styled=True)
        _show(faults)

    def _line(self, names: Sequence[str], cells: Sequence[str]) -> str:
        aligned = [text.ljust(width) for text, width in zip(names, self.widths, strict=True)]
        return "  ".join([*aligned, *cells])


def _conclude(offers: Sequence[Offer], reports: Sequence[Report], broken: int) -> None:
    for status in ("not applicable", "not examined"):
        for reason, rules in _reasons(reports, status).items():
            tell(f"{status}: {', '.join(rules)}: {reason}")
    verdict = f"{broken} broken" if broken else "all keep their contract"
    tell(f"{_numbers([offer.kind for offer in offers])} of {offers[0].distribution}: {verdict}")


def _counts(reports: Sequence[Report], columns: Sequence[str]) -> list[str]:
    """The cells of the row of what was tried in several uses: each rule counts once, by the worst that came of it."""
    order = ("failed", "not examined", "passed", "not applicable")
    worst: dict[str, str] = {}
    for report in reports:
        for row in report.rows:
            worst[row.rule] = min(worst.get(row.rule, row.status), row.status, key=order.index)
    statuses = list(worst.values())
    counts = [len(reports) if column == "uses" else statuses.count(column) for column in columns]
    return [f"{count:>{len(column)}}" for count, column in zip(counts, columns, strict=True)]


def _reasons(reports: Sequence[Report], status: str) -> dict[str, list[str]]:
    """Reason -> the rules that have a status for it."""
    rules: dict[str, list[str]] = {}
    for row in (row for report in reports for row in report.rows if row.status == status):
        if row.rule not in rules.setdefault(row.text, []):
            rules[row.text].append(row.rule)
    return rules


def _numbers(kinds: Sequence[str]) -> str:
    """ "3 components, 1 kernel, 1 hook module, 2 old files"."""
    others = {"kernel": "kernel", "hooks": "hook module", "file": "old file", "entry point": "stray entry point"}
    parts = [(len(kinds) - sum(map(kinds.count, others)), "component")]
    parts += [(kinds.count(kind), word) for kind, word in others.items()]
    return ", ".join(counted(count, word) for count, word in parts if count)


def _show(faults: Faults) -> None:
    """Each rule that broke: in which uses, what was found, and how to repair it."""
    for rule in dict.fromkeys(row.rule for _, row in faults):
        echo(f"  {click.style(rule, bold=True)}:", styled=True)
        found = [(report, row) for report, row in faults if row.rule == rule]
        for report, row in found:
            tell(f"    {report.label}: {row.text}")
        for line in textwrap.wrap(found[0][1].remedy, 94):
            tell(f"      {line}")


def _plain(report: Report) -> dict[str, object]:
    rules = [{"rule": row.rule, "status": row.status, "text": row.text, "remedy": row.remedy} for row in report.rows]
    return {"kind": report.kind, "type": report.type, "label": report.label, "rules": rules}
