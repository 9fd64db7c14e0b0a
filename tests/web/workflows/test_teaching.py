"""Guides and tutorials: ours, an operator's own, and what is wrong with a malformed one."""

import json
import re
from copy import deepcopy
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from PIL import Image

from lenticular.common.errors import InvalidInputError, NotFoundError
from lenticular.subjects.models import content_hash, stored_image_name
from lenticular.workflows.models import Guide, Tutorial, Workflow
from lenticular.workflows.publishing import publish_guide, publish_tutorial
from lenticular.workflows.services import create_workflow
from lenticular.workflows.teaching import check_guide, read_guide, read_tutorial
from lenticular.workflows.teaching_selectors import (
    drawn_file,
    guide_of,
    image_address,
    shipped_guide,
    shipped_tutorials,
    tutorial_of,
)
from mlcore.tree import DecisionTree
from tests.universe import galaxy_png, small_tree

TREES = Path(settings.ROOT) / "fixtures" / "trees"
LANGUAGES = {code for code, _ in settings.LANGUAGES}
NOWHERE = Path("/nonexistent")

GUIDE = {
    "note": {"en": "Pictures: our survey."},
    "questions": {
        "shape": {
            "smooth": {
                "text": {"en": "Even.", "zh-hant": "均勻。"},
                "confused": {"en": "Disks."},
                "images": ["drawn:round-1", "drawn:oval-1"],
            },
            "featured": {"text": {"en": "Uneven."}},
        },
        "roundness": {"round": {"like": "shape/smooth"}},
    },
}
TUTORIAL = {
    "steps": [
        {
            "title": {"en": "Look"},
            "text": {"en": "Look first."},
            "images": [{"image": "drawn:spiral-1", "caption": {"en": "A spiral"}}],
        },
        {"title": {"en": "Answer"}, "text": {"en": "Then answer."}},
    ]
}


def changed(document, path, value):
    """Return the document with what stands at a dotted path replaced."""
    document = deepcopy(document)
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place = document
    for key in parents:
        place = place[key]
    place[last] = value
    return document


def of_tree(tree):
    return create_workflow(slug=tree.slug, name=tree.name, tree=tree)


@pytest.fixture
def workflow(db):
    return of_tree(small_tree())


@pytest.fixture(params=["gz-decals-5", "gz2", "gz1", "yes-no"])
def tree(request):
    return DecisionTree.from_file(TREES / f"{request.param}.json")


def test_our_guide_has_every_answer_of_our_trees_in_every_language(tree):
    entries = shipped_guide().entries
    for question in tree.questions:
        for answer in question.answers:
            entry = entries[question.slug, answer.slug]
            assert set(entry.text) == LANGUAGES
            assert set(entry.confused) in (LANGUAGES, set())
            assert entry.images
            assert all(finders.find(drawn_file(image)) for image in entry.images)


def test_our_guide_has_no_entry_that_no_tree_asks_for():
    files = [DecisionTree.from_file(path) for path in TREES.glob("*.json")]
    asked = {column for each in files for column in each.label_cols}
    assert {f"{question}_{answer}" for question, answer in shipped_guide().entries} == asked


def test_our_tutorials_are_short_and_in_every_language(tree):
    steps = shipped_tutorials()[tree.slug]
    assert 5 <= len(steps) <= 7
    for step in steps:
        assert set(step.title) == set(step.text) == LANGUAGES
        assert len(step.text["en"].split()) < 40
        assert all(set(each.caption) == LANGUAGES for each in step.pictures)
        assert all(finders.find(drawn_file(each.image)) for each in step.pictures)


def test_a_guide_is_read_with_what_is_like_another():
    guide = read_guide(GUIDE)
    assert guide.note["en"] == "Pictures: our survey."
    assert guide.entries["shape", "smooth"].images == ("drawn:round-1", "drawn:oval-1")
    assert guide.entries["shape", "featured"].images == ()
    assert not guide.entries["shape", "featured"].confused
    assert guide.entries["roundness", "round"] == guide.entries["shape", "smooth"]


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("questions", [], "questions must be a JSON object, is []"),
        ("note", {}, "note must have a text in at least 1 language"),
        ("notes", {}, "the guide must have only the keys ['note', 'questions'], has 'notes'"),
        ("questions.shape", "x", "questions.shape must be a JSON object, is 'x'"),
        ("questions.shape.smooth", None, "questions.shape.smooth must be a JSON object"),
        ("questions.shape.smooth", {}, "questions.shape.smooth must have 'text'"),
        ("questions.shape.smooth.txt", {}, "questions.shape.smooth must have only the keys"),
        ("questions.shape.smooth.text", "Even", "smooth.text must be a JSON object, is 'Even'"),
        ("questions.shape.smooth.text.en", " ", "smooth.text.en must be words, is ' '"),
        ("questions.shape.smooth.confused.en", 3, "smooth.confused.en must be words, is 3"),
        ("questions.shape.smooth.images", "a.png", "smooth.images must be a list of at most 3"),
        ("questions.shape.smooth.images", ["a"] * 4, "smooth.images must be a list of at most 3"),
        ("questions.shape.smooth.images.1", 7, "smooth.images.2 must name an image, is 7"),
        ("questions.shape.smooth.images.0", "a\0b", "smooth.images.1 must name an image"),
        ("questions.roundness.round.like", "smooth", "round.like must be 'QUESTION/ANSWER'"),
        ("questions.roundness.round.like", "a/b", "must name an entry that is written out"),
        ("questions.roundness.round.like", "roundness/round", "must name an entry that is written"),
        ("questions.roundness.round.text", {"en": "x"}, "must have only the keys ['like']"),
    ],
)
def test_a_malformed_guide_is_refused_by_the_key(path, value, reason):
    with pytest.raises(InvalidInputError) as refused:
        read_guide(changed(GUIDE, path, value))
    assert reason in refused.value.message


@pytest.mark.parametrize("document", [None, [], "guide", 3, {}])
def test_what_is_no_guide_at_all_is_refused(document):
    with pytest.raises(InvalidInputError, match="the guide must"):
        read_guide(document)


def test_a_guide_to_answers_that_the_tree_lacks_is_refused():
    guide = read_guide({"questions": {"shape": {"spiral": {"text": {"en": "x"}}}}})
    with pytest.raises(InvalidInputError, match=r"questions.shape.spiral must be an answer of"):
        check_guide(guide, small_tree())


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("steps", [], "steps must be a list of 1 to 10, is []"),
        ("steps", TUTORIAL["steps"] * 6, "steps must be a list of 1 to 10"),
        ("steps", {}, "steps must be a list of 1 to 10, is {}"),
        ("pages", [], "the tutorial must have only the keys ['steps'], has 'pages'"),
        ("steps.1", "Look", "steps.2 must be a JSON object, is 'Look'"),
        ("steps.1", {"title": {"en": "x"}}, "steps.2 must have 'text'"),
        ("steps.0.title.en", "", "steps.1.title.en must be words, is ''"),
        ("steps.0.images.0", "a.png", "steps.1.images.1 must be a JSON object, is 'a.png'"),
        ("steps.0.images.0.caption", {}, "steps.1.images.1.caption must have a text"),
        ("steps.0.images.0.image", "", "steps.1.images.1.image must name an image, is ''"),
    ],
)
def test_a_malformed_tutorial_is_refused_by_the_key(path, value, reason):
    with pytest.raises(InvalidInputError) as refused:
        read_tutorial(changed(TUTORIAL, path, value))
    assert reason in refused.value.message


def test_our_trees_are_taught_with_our_guide_and_tutorial(db, tree):
    workflow = of_tree(tree)
    assert guide_of(workflow) == shipped_guide()
    assert tutorial_of(workflow) == shipped_tutorials()[tree.slug]


def test_a_tree_of_ones_own_has_an_empty_guide_and_a_general_tutorial(workflow):
    assert guide_of(workflow).entries == {}
    assert tutorial_of(workflow) == shipped_tutorials()["*"]


def test_a_workflow_without_a_version_can_not_be_taught(db):
    workflow = Workflow.objects.create(slug="empty", name="Empty")
    with pytest.raises(NotFoundError):
        guide_of(workflow)
    with pytest.raises(NotFoundError):
        publish_guide(workflow=workflow, document=GUIDE, folder=NOWHERE)


def test_the_latest_guide_and_tutorial_are_in_force(workflow):
    publish_guide(workflow=workflow, document=GUIDE, folder=NOWHERE)
    shorter = {"questions": {"shape": {"smooth": {"text": {"en": "New."}}}}}
    second = publish_guide(workflow=workflow, document=shorter, folder=NOWHERE)
    assert second.number == 2
    assert guide_of(workflow) == read_guide(shorter)
    publish_tutorial(workflow=workflow, document=TUTORIAL, folder=NOWHERE)
    assert tutorial_of(workflow) == read_tutorial(TUTORIAL)
    assert str(Tutorial.objects.get()) == "tutorial 1 of shapes"


def test_images_are_decoded_again_and_kept_by_their_content(workflow, tmp_path):
    content = galaxy_png(3)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "one.png").write_bytes(content)
    document = changed(GUIDE, "questions.shape.smooth.images.1", "pictures/one.png")
    publish_guide(workflow=workflow, document=document, folder=tmp_path)
    drawn, stored = guide_of(workflow).entries["shape", "smooth"].images
    sha256 = content_hash(content)
    assert (drawn, stored) == ("drawn:round-1", f"stored:{sha256}")
    assert image_address(drawn) == "/static/frontend/guide/round-1.webp"
    name = stored_image_name(sha256, "page")
    assert image_address(stored) == default_storage.url(name)
    with default_storage.open(name) as file, Image.open(BytesIO(file.read())) as image:
        assert image.format == "JPEG"


@pytest.mark.django_db
def test_an_answer_may_be_called_image():
    tree = small_tree().to_dict()
    tree["questions"][1]["answers"][0]["slug"] = "image"
    entry = {"text": {"en": "A picture."}, "images": ["drawn:round-1"]}
    document = {"questions": {"roundness": {"image": entry}}}

    published = publish_guide(
        workflow=of_tree(DecisionTree.from_dict(tree)), document=document, folder=NOWHERE
    )

    assert published.document == document


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent.png", "images.1: absent.png must be a file, there is none"),
        ("../outside.png", "images.1 must lie in the guide's own folder, is '../outside.png'"),
        ("/etc/hostname", "images.1 must lie in the guide's own folder"),
        ("link.png", "images.1 must lie in the guide's own folder"),
        ("words.png", "images.1: the image must be a JPEG, PNG, WebP or GIF image"),
        ("cut.png", "images.1: the image must be a whole image"),
        ("drawn:unknown", "images.1 must name one of our drawings, is 'drawn:unknown'"),
        ("drawn:../icons", "images.1 must name one of our drawings"),
        ("stored:" + "0" * 64, "images.1 must be a file or drawn:NAME"),
    ],
)
def test_an_image_that_can_not_be_used_is_refused_by_its_key(workflow, tmp_path, name, reason):
    folder = tmp_path / "guide"
    folder.mkdir()
    (tmp_path / "outside.png").write_bytes(galaxy_png(1))
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    (folder / "words.png").write_text("no image")
    (folder / "cut.png").write_bytes(galaxy_png(1)[:90])
    document = changed(GUIDE, "questions.shape.smooth.images.0", name)
    with pytest.raises(InvalidInputError) as refused:
        publish_guide(workflow=workflow, document=document, folder=folder)
    assert f"questions.shape.smooth.{reason}" in refused.value.message
    assert not Guide.objects.exists()


@pytest.mark.parametrize("kind", ["guide", "tutorial"])
def test_the_admin_site_shows_what_was_published_and_changes_nothing(client_of, universe, kind):
    publish, document = {
        "guide": (publish_guide, GUIDE),
        "tutorial": (publish_tutorial, TUTORIAL),
    }[kind]
    published = publish(workflow=universe.workflow, document=document, folder=NOWHERE)
    address = f"/admin/workflows/{kind}/"
    assert client_of(None).get(address).status_code == 302
    assert client_of("volunteer").get(address).status_code == 302
    admin = client_of("admin")
    assert f"{address}{published.pk}/change/" in admin.get(address).content.decode()
    assert admin.get(f"{address}{published.pk}/change/").status_code == 200
    assert admin.get(f"{address}add/").status_code == 403


def write(folder, name, document):
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def test_the_command_publishes_both(workflow, tmp_path):
    guide, tutorial = write(tmp_path, "g.json", GUIDE), write(tmp_path, "t.json", TUTORIAL)
    said = StringIO()
    call_command("teach", "shapes", "--guide", guide, "--tutorial", tutorial, stdout=said)
    assert said.getvalue().splitlines() == [
        "guide 1 of shapes is shown from now on",
        "tutorial 1 of shapes is shown from now on",
    ]


@pytest.mark.parametrize(
    ("slug", "document", "reason"),
    [
        ("none", GUIDE, "workflow 'none' does not exist"),
        ("shapes", "{", r"g\.json must be JSON in UTF-8"),
        ("shapes", {"questions": 3}, r"g\.json: questions must be a JSON object, is 3"),
    ],
)
def test_the_command_says_what_is_wrong(workflow, tmp_path, slug, document, reason):
    with pytest.raises(CommandError, match=reason):
        call_command("teach", slug, "--guide", write(tmp_path, "g.json", document))


def test_the_command_says_that_a_file_is_absent(workflow, tmp_path):
    with pytest.raises(CommandError, match=r"absent\.json must be JSON in UTF-8: .* No such file"):
        call_command("teach", "shapes", "--guide", str(tmp_path / "absent.json"))


def test_the_command_wants_something_to_publish(workflow):
    with pytest.raises(CommandError, match="give --guide, --tutorial or both"):
        call_command("teach", "shapes")


def test_the_documented_files_are_a_guide_and_a_tutorial():
    text = (Path(settings.ROOT) / "docs" / "how-to" / "teach.md").read_text("utf-8")
    guide, tutorial = re.findall(r"^    \{\n.*?^    \}\n", text, re.MULTILINE | re.DOTALL)
    assert ("bar", "strong") in read_guide(json.loads(guide)).entries
    assert read_tutorial(json.loads(tutorial))[0].title["en"] == "Look for a bar"
