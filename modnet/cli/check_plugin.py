"""The body of `modnet check-plugin`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import click

from modnet.cli.output import echo, echo_json
from modnet.cli.report import FAILED
from modnet.plugins.registry import default_registry
from modnet.testing.contract import Report, Row
from modnet.testing.distribution import offered_by
from modnet.words import counted, harmless

COLUMNS = ("uses", "passed", "failed", "not applicable", "not examined")


def run(distribution: str, by_rule: bool, as_json: bool) -> int:
    offers = offered_by(distribution, default_registry())
    widths = [
        max([4, *(len(text) for text in texts)]) for texts in zip(*((o.kind, o.name) for o in offers), strict=True)
    ]
    reports: list[Report] = []
    broken = 0
    if offers and not as_json and not by_rule:
        echo("  ".join([f"{'kind':<{widths[0]}}", f"{'type':<{widths[1]}}", *COLUMNS]))
    for offer in offers:
        found = offer.examine()
        reports += found
        faults = [(report, row) for report in found for row in report.failures]
        broken += bool(faults)
        if as_json:
            continue
        if by_rule:
            echo("\n\n".join(map(str, found)) + "\n")
        else:
            cells = [f"{offer.kind:<{widths[0]}}", f"{offer.name:<{widths[1]}}", *_counts(found)]
            line = "  ".join(cells)
            echo(click.style(harmless(line), fg="red") if faults else harmless(line), styled=True)
        _show(faults)
    if as_json:
        echo_json([_plain(report) for report in reports])
    elif not offers:
        echo(f"{distribution} offers no components, kernels or hooks: nothing to examine")
    else:
        for status in ("not applicable", "not examined"):
            for reason, rules in _reasons(reports, status).items():
                echo(f"{status}: {', '.join(rules)}: {reason}")
        verdict = f"{broken} broken" if broken else "all keep their contract"
        echo(f"{_numbers([offer.kind for offer in offers])} of {offers[0].distribution}: {verdict}")
    return FAILED if broken else 0


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


def _show(faults: Sequence[tuple[Report, Row]]) -> None:
    """Each rule that broke: in which uses, what was found there, and how to mend it."""
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
