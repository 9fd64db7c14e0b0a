"""Runs the benchmarks and prints a table for each: ``make bench``.

Names on the command line choose some: ``python tests/benchmarks rebuild gp_scoring``.
A benchmark is a module beside this one with a ``TITLE`` and a function ``table`` that
returns rows, each a mapping of heading to text. None of them gates anything on a time.
"""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]


def main(names: Sequence[str]) -> None:
    """Run the named benchmarks, or all of them."""
    sys.path[:0] = [str(ROOT / "platform"), str(ROOT), str(FOLDER)]
    known = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
    unknown = sorted(set(names) - set(known))
    if unknown:
        sys.exit(f"benchmark must be one of {', '.join(known)}, is {unknown[0]}")
    if len(names) == 1:
        run(names[0])
        return
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    for name in names or known:
        # Each in a process of its own: they want databases and thread pools of their own.
        subprocess.run([sys.executable, str(FOLDER), name], check=True)


def run(name: str) -> None:
    """Run one benchmark here, and print its table."""
    module, begun = importlib.import_module(name), time.monotonic()
    rows = module.table()
    print(f"\n## {module.TITLE}  (make bench, or: python tests/benchmarks {name})\n")
    print_table(rows)
    print(f"\nIt took {time.monotonic() - begun:,.0f} seconds.")


def print_table(rows: Sequence[Mapping[str, str]]) -> None:
    """Print rows as a Markdown table; the headings are the first row's."""
    headings = list(rows[0])
    lines = [headings, *([row[heading] for heading in headings] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(headings))]
    for number, line in enumerate(lines):
        print("| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


if __name__ == "__main__":
    main(sys.argv[1:])
