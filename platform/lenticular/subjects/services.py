"""Writes of surveys, subject sets and subjects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction

from lenticular.common.errors import ConflictError, InvalidInputError
from lenticular.subjects.models import Subject, SubjectImage, SubjectSet, Survey
from lenticular.subjects.pictures import Picture, keep_picture, read_picture
from lenticular.subjects.positions import check_position, healpix_of
from mlcore.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

MAX_ID_LENGTH = 120
M = TypeVar("M", Survey, SubjectSet)


class BadImageError(InvalidInputError):
    """An image cannot be used."""

    kind = "bad-image"


@dataclass(frozen=True)
class NewSubject:
    """A subject about to be stored, its pictures decoded and its position checked.

    Attributes
    ----------
    picture, rendering
        The first picture, and its name.
    others
        Name to picture of the other renderings, in order.
    """

    external_id: str
    picture: Picture
    ra: float | None = None
    dec: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    hidden_metadata: Mapping[str, Any] = field(default_factory=dict)
    rendering: str = "main"
    others: Mapping[str, Picture] = field(default_factory=dict)

    @property
    def pictures(self) -> dict[str, Picture]:
        """Name to picture of every rendering, the first one first."""
        return {self.rendering: self.picture, **self.others}


@transaction.atomic
def get_or_create_survey(*, slug: str, name: str) -> Survey:
    """Return the survey with this slug, made the first time.

    Raises
    ------
    InvalidInputError
        For a malformed slug or a name that is blank or too long.
    """
    found = Survey.objects.filter(slug=slug).first()
    return found or _checked(Survey(slug=slug, name=name))


@transaction.atomic
def get_or_create_subject_set(*, survey: Survey, slug: str, name: str) -> SubjectSet:
    """Return the subject set with this slug, made the first time.

    Raises
    ------
    InvalidInputError
        For a malformed slug or a name that is blank or too long.
    ConflictError
        Where the set belongs to another survey.
    """
    found = SubjectSet.objects.filter(slug=slug).first()
    if found is None:
        return _checked(SubjectSet(survey=survey, slug=slug, name=name))
    if found.survey_id != survey.pk:
        raise ConflictError(f"subject set {slug!r} belongs to survey {found.survey}, not {survey}")
    return found


def _checked(made: M) -> M:
    try:
        made.full_clean()
    except ValidationError as error:
        raise InvalidInputError(f"{made.slug!r} can not be made: {_reasons(error)}") from error
    made.save()
    return made


def _reasons(error: ValidationError) -> str:
    return " ".join(f"{name}: {' '.join(found)}" for name, found in error.message_dict.items())


def add_subject(
    *,
    survey: Survey,
    external_id: str,
    image: bytes,
    ra: float | None = None,
    dec: float | None = None,
    metadata: Mapping[str, Any] | None = None,
    hidden_metadata: Mapping[str, Any] | None = None,
    subject_sets: Iterable[SubjectSet] = (),
    renderings: Mapping[str, bytes] | None = None,
) -> tuple[Subject, bool]:
    """Store one subject; one that is there already stays as it is, and joins the sets.

    Parameters
    ----------
    survey, external_id
        Name the subject; the id must be unique in the survey.
    image
        Content of a JPEG, PNG, WebP or GIF file; re-encoded.
    ra, dec
        Degrees (ICRS); both None where the position is not known.
    metadata, hidden_metadata
        What volunteers see, and what they never do.
    subject_sets
        Sets of the same survey that the subject joins.
    renderings
        Name to content of further pictures of the galaxy, in order.

    Raises
    ------
    InvalidInputError
        For a blank or overlong id, an image that can not be used, or a bad position.
    """
    check_external_id(external_id)
    check_position(ra, dec)
    new = NewSubject(
        external_id,
        _decoded(image),
        ra,
        dec,
        metadata or {},
        hidden_metadata or {},
        others={name: _decoded(content) for name, content in (renderings or {}).items()},
    )
    existed = Subject.objects.filter(survey=survey, external_id=external_id).exists()
    store_subjects(survey=survey, subjects=[new], subject_sets=list(subject_sets))
    return Subject.objects.get(survey=survey, external_id=external_id), not existed


def _decoded(image: bytes) -> Picture:
    try:
        return read_picture(image)
    except ImageError as error:
        raise BadImageError(str(error), code=error.code) from error


def check_external_id(external_id: str) -> None:
    """Refuse an id that can not name a subject; raises InvalidInputError."""
    if not external_id.strip():
        raise InvalidInputError("external_id must not be blank", code="blank-id")
    if len(external_id) > MAX_ID_LENGTH:
        rule = f"external_id must have at most {MAX_ID_LENGTH} characters"
        raise InvalidInputError(f"{rule}, has {len(external_id)}", code="bad-id")
    if not external_id.isprintable():
        rule = "external_id must be printable"
        raise InvalidInputError(f"{rule}, is {external_id!r}", code="bad-id")


def store_subjects(
    *, survey: Survey, subjects: Sequence[NewSubject], subject_sets: Collection[SubjectSet]
) -> None:
    """Store checked subjects in one go; safe beside another import of the same ones.

    The pictures are written first: a subject in the database always has its files.
    """
    for new in subjects:
        for picture in new.pictures.values():
            keep_picture(picture)
    with transaction.atomic():
        Subject.objects.bulk_create(
            [_subject(survey, new) for new in subjects], ignore_conflicts=True
        )
        ids = subject_ids(survey=survey, external_ids=[new.external_id for new in subjects])
        SubjectImage.objects.bulk_create(
            [image for new in subjects for image in _images(ids[new.external_id], new)],
            ignore_conflicts=True,
        )
        for subject_set in subject_sets:
            join_set(subject_set=subject_set, subject_ids=ids.values())


def _subject(survey: Survey, new: NewSubject) -> Subject:
    return Subject(
        survey=survey,
        external_id=new.external_id,
        ra=new.ra,
        dec=new.dec,
        healpix=healpix_of(new.ra, new.dec),
        metadata=dict(new.metadata),
        hidden_metadata=dict(new.hidden_metadata),
    )


def _images(subject_id: int, new: NewSubject) -> list[SubjectImage]:
    return [
        SubjectImage(
            subject_id=subject_id,
            rendering=rendering,
            position=position,
            sha256=picture.sha256,
            width=picture.width,
            height=picture.height,
        )
        for position, (rendering, picture) in enumerate(new.pictures.items())
    ]


def subject_ids(*, survey: Survey, external_ids: Collection[str]) -> dict[str, int]:
    """Return external id to primary key, of those that the survey has."""
    found = Subject.objects.filter(survey=survey, external_id__in=external_ids)
    return dict(found.values_list("external_id", "pk"))


def join_set(*, subject_set: SubjectSet, subject_ids: Iterable[int]) -> None:
    """Put subjects into a set; those in it stay."""
    through = SubjectSet.subjects.through
    through.objects.bulk_create(
        [through(subjectset_id=subject_set.pk, subject_id=pk) for pk in subject_ids],
        ignore_conflicts=True,
    )
