"""The words that go with a catalogue: provenance, citation, README. No database here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lenticular.releases.columns import LEVEL, PRIOR

if TYPE_CHECKING:
    from datetime import datetime

DATE = "%Y-%m-%d"


@dataclass(frozen=True)
class Facts:
    """What is said of a release, wherever it is said.

    `selection` is the selection function in numbers, `provenance` all that is recorded.
    """

    title: str
    workflow: str
    workflow_name: str
    number: int
    made_at: datetime
    subjects: int
    votes: int
    volunteers: int
    files: tuple[tuple[str, str], ...]
    provenance: dict[str, Any]

    @property
    def authors(self) -> str:
        """Who is cited: those who voted."""
        return f"The volunteers of {self.workflow_name}"


def citation(facts: Facts) -> str:
    """Return one line to put into a list of references."""
    return (
        f"{facts.authors} ({facts.made_at.year}). {facts.title}, release {facts.number} "
        f"[Data set]. {facts.votes:,} classifications of {facts.subjects:,} galaxies by "
        f"{facts.volunteers:,} volunteers; Lenticular workflow {facts.workflow}."
    )


def citation_cff(facts: Facts) -> str:
    """Return ``CITATION.cff`` (Citation File Format 1.2.0)."""
    said = {
        "cff-version": "1.2.0",
        "message": "If you use this catalogue, please cite it as below.",
        "type": "dataset",
        "title": f"{facts.title}, release {facts.number}",
        "authors": [{"name": facts.authors}],
        "version": str(facts.number),
        "date-released": facts.made_at.strftime(DATE),
        "abstract": citation(facts),
        "keywords": ["galaxy morphology", "citizen science"],
    }
    # JSON's values are YAML's too, whatever a title holds.
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in said.items()]
    return "\n".join(lines) + "\n"


def selection_in_words(rules: dict[str, Any], votes: dict[str, int]) -> str:
    """Return how galaxies were chosen for volunteers, for people.

    Parameters
    ----------
    rules
        ``control_panel``, ``control_share``, ``gold_share``, ``retirement_votes`` and
        ``artifact_votes`` of the workflow.
    votes
        Votes by arm.
    """
    total = max(sum(votes.values()), 1)
    shares = ", ".join(f"{arm} {number:,} ({number / total:.1%})" for arm, number in votes.items())
    return (
        f"A share of {rules['control_panel']:g} of the galaxies was drawn at random, once, into "
        f"the control panel. A serving came with probability {rules['gold_share']:g} from the "
        f"gold-standard galaxies, otherwise with probability {rules['control_share']:g} from the "
        "control arm (the panel, in random order), otherwise from the active arm (galaxies "
        "outside the panel, drawn among those of highest acquisition score in the last round); "
        "where an arm had nothing left its share went to the others. A galaxy retired after "
        f"{rules['retirement_votes']} votes, or once {rules['artifact_votes']} people called it "
        f"an artifact. Votes by arm: {shares}. Every vote was recorded with the probability of "
        "its draw; mean_selection_probability is the mean over a galaxy's votes. Fractions over "
        "the control panel alone are those of a random choice of galaxies. The rules are those "
        "in force at the release."
    )


def readme(facts: Facts) -> str:
    """Return ``README.md``."""
    files = "\n".join(f"- `{name}`: {description}" for name, description in facts.files)
    return f"""# {facts.title}, release {facts.number}

{facts.subjects:,} galaxies, {facts.votes:,} classifications by {facts.volunteers:,} volunteers;
workflow `{facts.workflow}`, made {facts.made_at.strftime(DATE)} with Lenticular.

## Files

{files}

## Columns

One row per galaxy. For each question: `<question>_total-votes`. For each answer:
`<question>_<answer>` (votes), `_fraction` (votes / votes on the question), `_mean`, `_lower`
and `_upper` (posterior mean and {LEVEL:.0%} credible interval of the fraction under a Dirichlet
prior of concentration {PRIOR:g} per answer), `_predicted` and `_concentration` (what the model
says of the image, whoever voted). Counts are never blank. The other columns are blank where a
question has no votes, or where there is no model. All are described in `schema.json`.

## Which galaxies, and why

{facts.provenance["selection"]["words"]}

## Loading

{loading_example("catalogue")}
Check what you have: `sha256sum --check SHA256SUMS`.

## Citing

{citation(facts)}
"""


def loading_example(stem: str) -> str:
    """Return Markdown that loads a catalogue whose files are called `stem`."""
    return f"""```python
import pandas as pd
catalogue = pd.read_parquet("{stem}.parquet")

from astropy.table import Table
catalogue = Table.read("{stem}.parquet")                    # types as in schema.json
catalogue = Table.read("{stem}.csv", format="ascii.csv")    # types as astropy guesses them
```
"""
