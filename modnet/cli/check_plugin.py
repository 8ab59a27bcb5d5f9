"""modnet check-plugin"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modnet.cli.options import echo_json, json_option

if TYPE_CHECKING:
    from modnet.testing.contract import Report, Row


@click.command("check-plugin", short_help="Prove that a plugin's components keep their contract.")
@click.argument("distribution")
@json_option
@click.pass_context
def command(ctx: click.Context, distribution: str, as_json: bool) -> None:
    """Examine every component of the installed DISTRIBUTION by the rules of its kind: gradients, shapes, dtypes,
    batches of any size, threads, model files and more; say what is broken and how to mend it.

    Each component is tried on its `examples()`, or on examples made from its defaults. The exit status is 1 where a
    rule is broken.

    \b
    Example:
      modnet check-plugin modnet-wave

    \b
    JSON: [{"kind", "type", "label",
            "rules": [{"rule", "status", "text", "remedy"}]}]
    """
    from modnet.cli.app import FAILED
    from modnet.registry import default_registry
    from modnet.testing.distribution import examine_entry, offered_by

    entries = offered_by(distribution, default_registry())
    width = max((len(entry.origin.type) for entry in entries), default=0)
    reports = []
    broken = 0
    for entry in entries:
        found = examine_entry(entry)
        reports += found
        faults = {row.rule: row for report in found for row in report.failures}
        broken += bool(faults)
        if not as_json:
            click.echo(f"{entry.origin.kind:<11} {entry.origin.type:<{width}}  {_counted(found)}")
            for row in faults.values():
                _show(row)
    if as_json:
        echo_json([_plain(report) for report in reports])
    elif not entries:
        click.echo(f"{distribution} offers no components: nothing to examine")
    else:
        plural = "" if len(entries) == 1 else "s"
        verdict = f"{broken} broken" if broken else "all keep their contract"
        click.echo(f"{len(entries)} component{plural} of {entries[0].origin.distribution}: {verdict}")
    if broken:
        ctx.exit(FAILED)


def _counted(reports: list[Report]) -> str:
    """How many rules passed, over all uses that a component was tried in."""
    passed, failed = (sum(len(rows) for rows in counts) for counts in zip(*map(_outcomes, reports), strict=True))
    uses = "" if len(reports) == 1 else f" in {len(reports)} uses"
    text = f"{passed} rules passed{uses}" + (f", {failed} failed" if failed else "")
    return click.style(text, fg="red") if failed else text


def _outcomes(report: Report) -> tuple[list[Row], list[Row]]:
    return report.passed, report.failures


def _show(row: Row) -> None:
    import textwrap

    click.echo(f"  {click.style(row.rule, bold=True)}: {row.text}")
    for line in textwrap.wrap(row.remedy, 94):
        click.echo(f"      {line}")


def _plain(report: Report) -> dict[str, object]:
    rules = [{"rule": row.rule, "status": row.status, "text": row.text, "remedy": row.remedy} for row in report.rows]
    return {"kind": report.kind, "type": report.type, "label": report.label, "rules": rules}
