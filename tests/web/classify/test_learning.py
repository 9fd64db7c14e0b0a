"""The field guide, the help beside a question and the tutorial; and the icons of all answers."""

import json
import re
from pathlib import Path

import pytest
from django.conf import settings

from lenticular.classify.templatetags.frontend import icon_address
from lenticular.workflows.publishing import publish_guide, publish_tutorial
from lenticular.workflows.services import create_workflow
from mlcore.tree import DecisionTree

TREES = sorted((Path(settings.ROOT) / "fixtures" / "trees").glob("*.json"))
SPRITE = Path(settings.ROOT) / "frontend" / "static" / "frontend" / "icons.svg"
ROLES = [None, "volunteer", "expert"]
PAGES = ["guide/", "guide/shape/", "tutorial/"]


@pytest.fixture(params=TREES, ids=lambda path: path.stem)
def tree(request):
    return DecisionTree.from_file(request.param)


@pytest.fixture
def ours(db, tree):
    return create_workflow(slug="ours", name="Our survey", tree=tree)


def html(response):
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("page", PAGES)
def test_anyone_may_learn(client_of, universe, role, page):
    response = client_of(role).get(f"/classify/shapes/{page}")
    assert "<!doctype html>" in html(response)
    assert "volunteer" not in response.cookies


@pytest.mark.parametrize("page", ["guide/", "guide/shape/", "tutorial/"])
def test_an_unknown_workflow_has_nothing_to_learn(client, db, page):
    assert client.get(f"/classify/none/{page}").status_code == 404


def test_a_question_that_is_not_asked_has_no_guide(client, universe):
    assert client.get("/classify/shapes/guide/bar/").status_code == 404


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_are_only_read(client, universe, page):
    assert client.post(f"/classify/shapes/{page}").status_code == 405


def test_the_guide_has_a_section_for_every_answer(client, ours, tree):
    page = html(client.get("/classify/ours/guide/"))
    for question in tree.questions:
        assert f'id="{question.slug}"' in page
        assert (f'href="#{question.slug}"' in page) == (len(tree.questions) > 1)
        for answer in question.answers:
            assert page.count(f'id="{question.slug}_{answer.slug}"') == 1
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert "no guide of its own" not in page
    assert 'loading="lazy"' in page


@pytest.mark.parametrize(
    ("language", "words"),
    [("zh-hant", "這類星系大多由老年恆星組成"), ("zh-hans", "这类星系大多由老年恒星组成")],
)
def test_the_guide_speaks_chinese(client, db, language, words):
    tree = DecisionTree.from_file(TREES[0])
    create_workflow(slug="ours", name="Our survey", tree=tree)
    page = html(client.get("/classify/ours/guide/", headers={"accept-language": language}))
    assert words in page
    assert "most such galaxies are old stars" not in page


def test_a_tree_without_a_guide_falls_back_to_its_own_help_and_says_so(client, universe):
    page = html(client.get("/classify/shapes/guide/"))
    assert "no guide of its own yet" in page
    assert "#smooth" in page
    assert "<img" not in page


def test_a_guide_in_part_says_so_and_shows_its_note(client, universe, tmp_path):
    entry = {"text": {"en": "Even <b>glow</b>."}, "confused": {"en": "Disks."}}
    document = {"note": {"en": "By us."}, "questions": {"shape": {"smooth": entry}}}
    publish_guide(workflow=universe.workflow, document=document, folder=tmp_path)
    page = html(client.get("/classify/shapes/guide/"))
    assert "Some answers of this survey have no examples yet" in page
    assert "By us." in page
    assert "Even &lt;b&gt;glow&lt;/b&gt;." in page
    assert "Disks." in page


@pytest.mark.parametrize(
    "how", [{"headers": {"hx-request": "true"}}, {"query_params": {"fragment": "1"}}]
)
def test_the_help_of_a_question_comes_as_a_fragment(client, ours, tree, how):
    response = client.get(f"/classify/ours/guide/{tree.start}/", **how)
    part = html(response)
    assert "<html" not in part
    assert "HX-Request" in response.headers["Vary"]
    for answer in tree.question(tree.start).answers:
        assert answer.text() in part.replace("&#x27;", "'")
    assert part.count("<img") == len(tree.question(tree.start).answers)
    assert f"/classify/ours/guide/#{tree.start}" in part


def test_help_without_examples_shows_the_icons(client, universe):
    part = html(client.get("/classify/shapes/guide/shape/?fragment=1"))
    assert part.count("<use") == 3
    assert "<img" not in part


def test_the_tutorial_s_fragment_is_a_dialog_of_the_same_steps(client, ours):
    page = html(client.get("/classify/ours/tutorial/"))
    part = html(client.get("/classify/ours/tutorial/", headers={"hx-request": "true"}))
    titles = re.findall(r'<h2 tabindex="-1">([^<]+)</h2>', page)
    assert len(titles) >= 5
    assert re.findall(r'<h2 tabindex="-1">([^<]+)</h2>', part) == titles
    assert part.count("<dialog") == 1
    assert "<html" not in part


def test_an_operator_s_tutorial_replaces_ours(client, universe, tmp_path):
    step = {"title": {"en": "Welcome to shapes"}, "text": {"en": "Look."}}
    publish_tutorial(workflow=universe.workflow, document={"steps": [step]}, folder=tmp_path)
    page = html(client.get("/classify/shapes/tutorial/"))
    assert "Welcome to shapes" in page
    assert "You are about to see galaxies" not in page


def test_the_classify_page_leads_to_both_and_carries_no_example(client, quiet_universe):
    page = html(client.get("/classify/shapes/"))
    assert 'href="/classify/shapes/guide/shape/"' in page
    assert re.search(r'id="tutorial-link" href="/classify/shapes/tutorial/"[^>]* data-first', page)
    assert "frontend/guide/" not in page


def test_who_has_classified_is_not_offered_the_tutorial_again(client, universe):
    client.force_login(universe.volunteer_user)
    page = html(client.get("/classify/shapes/"))
    assert 'id="tutorial-link"' in page
    assert "data-first" not in page


def test_every_answer_has_an_icon_of_its_own_in_its_question(tree):
    for question in tree.questions:
        icons = [answer.icon for answer in question.answers]
        assert len(set(icons)) == len(icons)
        assert [icon_address(icon).rpartition("#")[2] for icon in icons] == icons


def test_icons_of_one_question_are_drawn_differently(tree):
    drawn = dict(re.findall(r'<symbol id="([^"]+)"[^>]*>(.*?)</symbol>', SPRITE.read_text()))
    for question in tree.questions:
        pictures = [drawn[answer.icon] for answer in question.answers]
        assert len(set(pictures)) == len(pictures)


def test_the_sprite_stays_small():
    assert SPRITE.stat().st_size <= 16_000


def test_the_shipped_documents_are_json_that_people_can_read():
    folder = Path(settings.ROOT) / "fixtures" / "guide"
    for path in folder.glob("*.json"):
        document = json.loads(path.read_text("utf-8"))
        assert path.read_text("utf-8") == json.dumps(document, ensure_ascii=False, indent=2) + "\n"
