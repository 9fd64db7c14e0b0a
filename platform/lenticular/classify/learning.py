"""What the pages of the field guide and the tutorial show, in the language of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.translation import get_language

from lenticular.common.errors import NotFoundError
from lenticular.workflows.selectors import current_version
from lenticular.workflows.teaching_selectors import guide_of, image_address, tutorial_of

if TYPE_CHECKING:
    from lenticular.workflows.models import Workflow
    from lenticular.workflows.teaching import FieldGuide, TutorialStep
    from mlcore.tree import Answer, Question


def guide_context(workflow: Workflow) -> dict[str, Any]:
    """Return the context of the whole guide: every question of the tree asked now."""
    guide, tree = guide_of(workflow), current_version(workflow).tree
    asked = {(question.slug, answer.slug) for question in tree.questions
             for answer in question.answers}  # fmt: skip
    return {
        "workflow": workflow,
        "note": guide.note.best(_language()),
        "sections": [_section(question, guide) for question in tree.questions],
        "is_bare": not asked & set(guide.entries),
        "is_partial": not asked <= set(guide.entries),
    }


def question_context(workflow: Workflow, slug: str) -> dict[str, Any]:
    """Return the context of the guide to one question.

    Raises
    ------
    NotFoundError
        For a question that the tree asked now does not have.
    """
    context = guide_context(workflow)
    sections = [section for section in context["sections"] if section["slug"] == slug]
    if not sections:
        raise NotFoundError(f"workflow {workflow.slug!r} asks no question {slug!r}")
    return {**context, "section": sections[0], "sections": sections}


def tutorial_context(workflow: Workflow) -> dict[str, Any]:
    """Return the context of the tutorial: its steps in order."""
    return {"workflow": workflow, "steps": [_step(step) for step in tutorial_of(workflow)]}


def _language() -> str:
    return get_language() or "en"


def _section(question: Question, guide: FieldGuide) -> dict[str, Any]:
    return {
        "slug": question.slug,
        "text": question.text(_language()),
        "help": question.help_text(_language()),
        "answers": [_answer(question, answer, guide) for answer in question.answers],
    }


def _answer(question: Question, answer: Answer, guide: FieldGuide) -> dict[str, Any]:
    entry = guide.entries.get((question.slug, answer.slug))
    return {
        "anchor": f"{question.slug}_{answer.slug}",
        "name": answer.text(_language()),
        "icon": answer.icon,
        "text": entry.text.best(_language()) if entry else "",
        "confused": entry.confused.best(_language()) if entry else "",
        "images": [image_address(image) for image in entry.images] if entry else [],
    }


def _step(step: TutorialStep) -> dict[str, Any]:
    return {
        "title": step.title.best(_language()),
        "text": step.text.best(_language()),
        "pictures": [
            {"address": image_address(each.image), "caption": each.caption.best(_language())}
            for each in step.pictures
        ],
    }
