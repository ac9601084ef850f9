"""Write the sources of the site: what is in `docs`, pages of requirements and commands, mkdocs' configuration.

Links are rewritten to where the pages stand in the site; `mkdocs build --strict` then refuses one that leads nowhere.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from ruamel.yaml import YAML

from conformance.credentials import read_credentials
from conformance.evidence_file import read_evidence
from conformance.features import read_declaration
from conformance.run_context import profile_named
from conformance.runner import Options, run
from conformance.verdict import EVIDENCE_FILE
from parity.reference import PROFILES, Reference
from parity.site import command_pages, requirement_pages
from parity.site.requirement_pages import Recorded
from reports.views.requirements import best_of

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
TOP = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages that stand beside the folder of documents."""
FIRST = (
    "index.md",
    "guides",
    "requirements",
    "commands.md",
    "mutants.md",
    "mutation-score.md",
    "coverage.md",
    "verdicts.md",
)
"""What the navigation begins with; the rest follows by name."""
NO_PAGES = frozenset({"assets", "pictures"})
TITLES = {"index.md": "Parity", "adr": "Decisions", "mutants.md": "Kill matrix"}


def write_sources(folder: Path, recorded: dict[str, Recorded]) -> Path:
    """Write all pages below a folder; return the configuration of mkdocs beside them."""
    pages = folder / "pages"
    if pages.exists():
        shutil.rmtree(pages)
    shutil.copytree(ROOT / "docs", pages, ignore=shutil.ignore_patterns("*.toml", "__pycache__"))
    for source, name in TOP.items():
        shutil.copy(ROOT / source, pages / name)
    shutil.copytree(Path(__file__).with_name("assets"), pages / "assets", dirs_exist_ok=True)
    places = {ROOT / source: pages / name for source, name in TOP.items()}
    places |= {path: pages / path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*")}
    for document, page in places.items():
        if document.suffix == ".md":
            page.write_text(_relinked(document, page, places), encoding="utf-8")
    made = [*requirement_pages.pages(recorded), (command_pages.FILE, command_pages.page())]
    for name, text in made:
        (pages / name).parent.mkdir(exist_ok=True)
        (pages / name).write_text(text, encoding="utf-8")
    _write_contents(pages / "adr", "Decisions")
    _write_contents(pages / "guides", "Guides")
    return _write_configuration(folder, pages)


def _relinked(source: Path, page: Path, places: dict[Path, Path]) -> str:
    """Return a document with its links leading to where the pages stand."""

    def moved(found: re.Match[str]) -> str:
        if "://" in found[2] or found[2].startswith("mailto:"):
            return found[0]
        target = Path(os.path.normpath(source.parent / found[2]))
        place = places.get(target)
        if place is None:
            return found[0]  # mkdocs says that it leads nowhere
        place = place / "index.md" if target.is_dir() else place
        return f"{found[1]}{Path(os.path.relpath(place, page.parent)).as_posix()}{found[3]}"

    return LINK.sub(moved, source.read_text(encoding="utf-8"))


def _write_contents(folder: Path, title: str) -> None:
    pages = sorted(path for path in folder.glob("*.md") if path.name != "index.md")
    lines = [f"- [{_title(path)}]({path.name})" for path in pages]
    (folder / "index.md").write_text("\n".join([f"# {title}", "", *lines]) + "\n", encoding="utf-8")


def _title(page: Path) -> str:
    found = re.search(r"^# (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else page.stem


def _write_configuration(folder: Path, pages: Path) -> Path:
    here = sorted(path.name for path in pages.iterdir() if path.is_dir() or path.suffix == ".md")
    order = [name for name in FIRST if name in here] + [name for name in here if name not in FIRST]
    yaml = YAML(typ="safe", pure=True)
    configuration = yaml.load((Path(__file__).with_name("mkdocs.yml")).read_text(encoding="utf-8"))
    configuration["docs_dir"] = pages.name
    configuration["nav"] = [_entry(pages / name) for name in order if name not in NO_PAGES]
    file = folder / "mkdocs.yml"
    with file.open("w", encoding="utf-8") as stream:
        yaml.dump(configuration, stream)
    return file


def _entry(place: Path) -> dict[str, object]:
    title = TITLES.get(place.name)
    if place.is_file():
        return {title or _title(place): place.name}
    pages = sorted(place.glob("*.md"), key=lambda path: (path.name != "index.md", path.name))
    return {title or place.name.capitalize(): [{_title(page): f"{place.name}/{page.name}"} for page in pages]}


def record_examples() -> dict[str, Recorded]:
    """Judge a reference server in both profiles and keep the exchange that shows each requirement best."""
    found: dict[str, Recorded] = {}
    for profile in reversed(PROFILES):
        with tempfile.TemporaryDirectory(prefix="parity-site-") as name:
            folder = Path(name)
            reference = Reference(f"sqlite:{folder / 'agents.db'}?durability=relaxed", profile, folder, folder)
            reference.prepare()
            options = Options(
                profile=profile_named(profile),
                credentials=read_credentials(reference.credentials),
                declaration=read_declaration(reference.declaration),
                quick=True,
            )
            report = run(reference.target, options, out=folder)
            stored = read_evidence(folder / EVIDENCE_FILE, whole=False)
        exchanges = {one.seq: one for evidence in stored.evidence.values() for one in evidence.exchanges}
        for result in report.results:
            there = [exchanges[seq] for seq in result.evidence if seq in exchanges]
            exchange = best_of(there, result.operation)
            if exchange is not None:
                found.setdefault(result.id, Recorded(profile, exchange))
    return found


def main() -> None:
    """Write the sources and print where the configuration is."""
    parser = argparse.ArgumentParser(prog="python -m parity.site", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/docs"), help="folder for the sources")
    parser.add_argument("--no-examples", action="store_true", help="don't record examples from the reference server")
    arguments = parser.parse_args()
    recorded = {} if arguments.no_examples else record_examples()
    arguments.out.mkdir(parents=True, exist_ok=True)
    sys.stdout.write(f"{write_sources(arguments.out, recorded)}\n")


if __name__ == "__main__":
    main()
