"""The body of `modnet check-plugin`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import click

from modnet.cli.failures import FAILED
from modnet.cli.output import echo, echo_json
from modnet.plugins.registry import default_registry
from modnet.testing.contract import Report, Row
from modnet.testing.distribution import Offer, offered_by
from modnet.words import counted, harmless

COLUMNS = ("uses", "passed", "failed", "not applicable", "not examined")


def run(distribution: str, by_rule: bool, as_json: bool) -> int:
    offers = offered_by(distribution, default_registry())
    if not offers and not as_json:
        echo(f"{distribution} offers no components, kernels or hooks: nothing to examine")
        return 0
    tell = _nothing if as_json else _rules if by_rule else _Table(offers)
    reports: list[Report] = []
    broken = 0
    for offer in offers:
        found = offer.examine()
        reports += found
        faults = [(report, row) for report in found for row in report.failures]
        broken += bool(faults)
        tell(offer, found, faults)
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
    echo("\n\n".join(map(str, reports)) + "\n")
    _show(faults)


class _Table:
    """One line for each thing on offer, below a heading, and what is broken in it."""

    def __init__(self, offers: Sequence[Offer]) -> None:
        self.widths = [max(4, *map(len, texts)) for texts in zip(*((o.kind, o.name) for o in offers), strict=True)]
        echo("  ".join([*self._aligned("kind", "type"), *COLUMNS]))

    def __call__(self, offer: Offer, reports: Sequence[Report], faults: Faults) -> None:
        line = harmless("  ".join([*self._aligned(offer.kind, offer.name), *_counts(reports)]))
        echo(click.style(line, fg="red") if faults else line, styled=True)
        _show(faults)

    def _aligned(self, *texts: str) -> list[str]:
        return [text.ljust(width) for text, width in zip(texts, self.widths, strict=True)]


def _conclude(offers: Sequence[Offer], reports: Sequence[Report], broken: int) -> None:
    for status in ("not applicable", "not examined"):
        for reason, rules in _reasons(reports, status).items():
            echo(f"{status}: {', '.join(rules)}: {reason}")
    verdict = f"{broken} broken" if broken else "all keep their contract"
    echo(f"{_numbers([offer.kind for offer in offers])} of {offers[0].distribution}: {verdict}")


def _counts(reports: Sequence[Report]) -> list[str]:
    """The cells of the row of what was tried in several uses: each rule counts once, by the worst that came of it."""
    order = ("failed", "not examined", "passed", "not applicable")
    worst: dict[str, str] = {}
    for report in reports:
        for row in report.rows:
            worst[row.rule] = min(worst.get(row.rule, row.status), row.status, key=order.index)
    statuses = list(worst.values())
    counts = [
        len(reports),
        *(statuses.count(status) for status in ("passed", "failed", "not applicable", "not examined")),
    ]
    return [f"{count:>{len(column)}}" for count, column in zip(counts, COLUMNS, strict=True)]


def _reasons(reports: Sequence[Report], status: str) -> dict[str, list[str]]:
    """Reason -> the rules that have a status for it."""
    rules: dict[str, list[str]] = {}
    for row in (row for report in reports for row in report.rows if row.status == status):
        if row.rule not in rules.setdefault(row.text, []):
            rules[row.text].append(row.rule)
    return rules


def _numbers(kinds: Sequence[str]) -> str:
    """ "3 components, 1 kernel, 1 hook module, 2 old files"."""
    others = {"kernel": "kernel", "hooks": "hook module", "file": "old file"}
    parts = [(len(kinds) - sum(map(kinds.count, others)), "component")]
    parts += [(kinds.count(kind), word) for kind, word in others.items()]
    return ", ".join(counted(count, word) for count, word in parts if count)


def _show(faults: Faults) -> None:
    """Each rule that broke: in which uses, what was found, and how to repair it."""
    for rule in dict.fromkeys(row.rule for _, row in faults):
        echo(f"  {click.style(rule, bold=True)}:", styled=True)
        found = [(report, row) for report, row in faults if row.rule == rule]
        for report, row in found:
            echo(f"    {report.label}: {row.text}")
        for line in textwrap.wrap(found[0][1].remedy, 94):
            echo(f"      {line}")


def _plain(report: Report) -> dict[str, object]:
    rules = [{"rule": row.rule, "status": row.status, "text": row.text, "remedy": row.remedy} for row in report.rows]
    return {"kind": report.kind, "type": report.type, "label": report.label, "rules": rules}
