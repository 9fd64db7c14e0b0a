"""The documentation keeps up with the code: links, settings, commands."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
import yaml

from mlcore.round_plan import RoundConfig
from mlcore.train_config import TrainConfig
from mlcore.tree import DecisionTree

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
IMAGES = ROOT / "docs" / "images"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^()\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^ {4}.*$", re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
READ_FROM_ENVIRONMENT = re.compile(r"environment\.\w+\(\s*\"(\w+)\"")


def relative_links(page: Path) -> Iterator[str]:
    """Yield the targets of a page's links into the project; what stands in code is no link."""
    text = INDENTED.sub("", FENCED.sub("", page.read_text(encoding="utf-8")))
    for target in LINK.findall(text):
        if not target.startswith(("https://", "http://", "mailto:")):
            yield target


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def is_there(page: Path, target: str) -> bool:
    """Tell whether a link leads to a file, and to a heading in it where it names one."""
    place, _, anchor = unquote(target).partition("#")
    file = (page.parent / place).resolve() if place else page
    if file.parent == IMAGES and not any(IMAGES.glob("*.jpg")):
        return True  # the browser tests have made none yet
    return file.exists() and (not anchor or anchor in anchors(file))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert [target for target in relative_links(page) if not is_there(page, target)] == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md", ROOT / "docs" / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        places = (target.partition("#")[0] for target in relative_links(page))
        files = ((page.parent / place).resolve() for place in places if place)
        waiting += [file for file in files if file.suffix == ".md" and file.exists()]
    assert [page for page in PAGES if page not in reached] == []


def test_every_variable_that_the_settings_read_is_documented() -> None:
    sources = (ROOT / "platform" / "lenticular" / "settings").glob("*.py")
    read = {
        name for source in sources for name in READ_FROM_ENVIRONMENT.findall(source.read_text())
    }
    documented = set(re.findall(r"`([A-Z_]+)`", (REFERENCE / "settings.md").read_text()))
    assert read
    assert sorted(read - documented) == []


def test_no_variable_is_documented_that_nothing_reads() -> None:
    described = re.findall(r"^\| (`.*?) \|", (REFERENCE / "settings.md").read_text(), re.MULTILINE)
    documented = {name for cell in described for name in re.findall(r"`([A-Z_]+)`", cell)}
    places = [
        *(ROOT / "platform" / "lenticular" / "settings").glob("*.py"),
        *(ROOT / "docker").iterdir(),
    ]
    code = "\n".join(place.read_text() for place in places if place.is_file())
    assert sorted(name for name in documented if name not in code) == []


def test_every_variable_of_the_containers_is_documented() -> None:
    named = {
        name
        for place in (ROOT / "docker").iterdir()
        if place.name in {"compose.yaml", "Caddyfile", "env.example"}
        for name in re.findall(r"\b(?:LENTICULAR|POSTGRES)_[A-Z_]+|TORCH_INDEX", place.read_text())
    }
    documented = set(re.findall(r"`([A-Z_]+)`", (REFERENCE / "settings.md").read_text()))
    assert sorted(named - documented - {"POSTGRES_USER", "POSTGRES_DB"}) == []


def test_every_command_of_ours_is_documented_and_no_other() -> None:
    found = (ROOT / "platform" / "lenticular").glob("*/management/commands/*.py")
    commands = {path.stem for path in found if path.stem != "__init__"}
    tables = (REFERENCE / "commands.md").read_text().split("\n\n")
    rows = "\n".join(table for table in tables if table.startswith("| command |"))
    assert set(re.findall(r"^\| `(\w+)", rows, re.MULTILINE)) == commands


def test_every_setting_of_a_round_is_documented() -> None:
    text = (ROOT / "docs" / "how-to" / "run-rounds.md").read_text()
    documented = set(re.findall(r"`(\w+)`", text))
    settings = {setting.name for config in (RoundConfig, TrainConfig) for setting in fields(config)}
    assert sorted(settings - documented) == []


def test_the_example_tree_is_a_tree() -> None:
    text = (REFERENCE / "decision-trees.md").read_text()
    example = re.search(r"^    \{\n.*?^    \}\n", text, re.MULTILINE | re.DOTALL)
    assert example is not None
    tree = DecisionTree.from_dict(json.loads(example[0]))
    assert all(f"`{column}`" in text for column in tree.label_cols)


def test_the_containers_name_only_services_that_there_are() -> None:
    services = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]
    named = {each for service in services.values() for each in service.get("depends_on", ())}
    proxy = (ROOT / "docker" / "Caddyfile").read_text()
    named |= set(re.findall(r"reverse_proxy (\w+):", proxy))
    assert sorted(named - set(services)) == []


def test_every_benchmark_and_every_variable_of_theirs_is_listed():
    folder, page = ROOT / "tests" / "benchmarks", (REFERENCE / "benchmarks.md").read_text()
    named = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert named >= {path.stem for path in folder.glob("[a-z]*.py")}
    read = set()
    for path in folder.glob("*.py"):
        read |= set(re.findall(r"LENTICULAR_BENCH_[A-Z]+(?:_[A-Z]+)*", path.read_text()))
    assert read == set(re.findall(r"LENTICULAR_BENCH_[A-Z]+(?:_[A-Z]+)*", page))
