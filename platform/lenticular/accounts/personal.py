"""What the site keeps of a person: every app above registers its section here.

A section is read out when the person takes their data along, and may erase what the
database would not by itself when the account is deleted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.serializers.json import DjangoJSONEncoder

if TYPE_CHECKING:
    from lenticular.accounts.models import User

Record = Mapping[str, Any]


@dataclass(frozen=True)
class PersonalSection:
    """One app's part.

    Attributes
    ----------
    name
        The key in the exported document.
    export
        Yields the person's records one by one, as JSON values, times and UUIDs.
    erase
        Removes what names the person and does not go with the row of the user; called in
        the transaction of the deletion, before the row goes.
    """

    name: str
    export: Callable[[User], Iterable[Record]]
    erase: Callable[[User], object] | None = None


_SECTIONS: dict[str, PersonalSection] = {}


def register_section(section: PersonalSection) -> None:
    """Add an app's section, in its `AppConfig.ready`; a later one of the same name replaces it."""
    _SECTIONS[section.name] = section


def personal_sections() -> tuple[PersonalSection, ...]:
    """Return the sections, in the order in which the apps registered them."""
    return tuple(_SECTIONS.values())


def export_document(*, user: User) -> Iterator[str]:
    """Yield one JSON document in pieces: one key for each section, a list of records."""
    opening = "{"
    for section in personal_sections():
        yield f"{opening}\n{json.dumps(section.name)}: ["
        comma = ""
        for record in section.export(user):
            yield f"{comma}\n{json.dumps(record, cls=DjangoJSONEncoder, ensure_ascii=False)}"
            comma = ","
        yield "]"
        opening = ","
    yield "\n}\n"
