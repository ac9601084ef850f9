"""`parity diagnose`: what is behind the failures of a kept run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from conformance.evidence_file import EvidenceUnreadable
from conformance.failure_text import diagnosis_lines, width_of
from conformance.rejudge import OtherCatalogue, recheck
from conformance.summary_json import as_text, diagnosis
from conformance.verdict import EXIT_USAGE
from terminal.form import Form
from terminal.lines import print_error


def diagnose(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN", help="directory of a run, or its evidence file")],
    output: Annotated[Form, typer.Option("--output", "-o", help="text, or json for programs")] = Form.TEXT,
) -> None:
    """Name the probable causes of a run's failures, those first that take most away; nothing is called or written."""
    console = Console(emoji=False)
    try:
        report = recheck(run_directory)
    except (EvidenceUnreadable, OtherCatalogue) as error:
        print_error(f"error: {error}")
        raise typer.Exit(EXIT_USAGE) from None
    if output is Form.JSON:
        typer.echo(as_text({"target": report.run.target, "profile": report.run.profile, **diagnosis(report)}))
        return
    lines = list(diagnosis_lines(report, width_of(console), whole=True))
    for line in lines or ["nothing failed, so there is nothing to explain"]:
        console.print(escape(line), soft_wrap=True, highlight=False)
