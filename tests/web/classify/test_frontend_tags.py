"""Template tags: icons, the import map, numbers and vote bars."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.template import Context, Template
from django.test import RequestFactory

from lenticular.classify.galaxies import AnswerVotes
from lenticular.classify.templatetags import frontend, humane
from lenticular.subjects.models import Subject
from mlcore.tree import DecisionTree

TREES = Path(settings.ROOT) / "fixtures" / "trees"


@pytest.mark.parametrize("path", sorted(TREES.glob("*.json")), ids=lambda path: path.stem)
def test_every_answer_of_every_tree_has_its_own_picture(path):
    for question in DecisionTree.from_file(path).questions:
        addresses = [frontend.icon_address(answer.icon) for answer in question.answers]
        assert len(set(addresses)) == len(addresses)
        for answer, address in zip(question.answers, addresses, strict=True):
            assert address.endswith(f"#{answer.icon}")


def test_an_unknown_picture_is_the_plain_galaxy():
    assert frontend.icon_address("unicorn").endswith("#galaxy")
    assert "aria-hidden" in frontend.icon("")


def test_the_import_map_names_every_module_by_its_address():
    context = Context({"request": RequestFactory().get("/")})
    html = Template("{% load frontend %}{% import_map %}").render(context)
    imports = json.loads(re.search(r">(.*)</script>", html).group(1))["imports"]
    assert "/static/frontend/classify.js" in imports
    assert all(key.endswith(".js") for key in imports)


def test_numbers_are_printed_for_people():
    assert humane.grouped(1234567) == "1\u202f234\u202f567"
    assert humane.grouped(None) == "0"
    assert humane.percent(0.834) == "83%"
    assert humane.points(0.1234) == "12.3"


def test_positions_are_printed_to_copy():
    subject = Subject(external_id="a", ra=10.5, dec=-3.25)
    assert humane.decimal_position(subject) == "10.50000 -3.25000"
    assert humane.sexagesimal_position(subject) == "00 42 00.00 -03 15 00.0"
    nowhere = Subject(external_id="a")
    assert humane.decimal_position(nowhere) == humane.sexagesimal_position(nowhere) == ""


@pytest.mark.parametrize(
    ("dec", "written", "plain"),
    [(-3.25, "-3.250000", "-3.250000"), (1e-7, "+0.000000", "0.000000")],
)
def test_the_sky_links_carry_the_position(dec, written, plain):
    subject = Subject(external_id="a", ra=10.5, dec=dec)

    def asked(url):
        return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}

    viewer = asked(humane.legacy_survey_url(subject))
    assert (viewer["ra"], viewer["dec"]) == ("10.500000", plain)
    assert viewer["mark"] == f"10.500000,{plain}"
    assert asked(humane.simbad_url(subject))["Coord"] == f"10.500000 {written}"
    assert asked(humane.ned_url(subject))["coordinates"] == f"10.500000d {written}d"


@pytest.mark.parametrize("predicted", [None, 40.0, 100.0])
def test_a_vote_bar_says_in_words_what_it_draws(predicted):
    votes = AnswerVotes("Bar", "bar", 3, 30.0, predicted, low=20.0, high=60.0)
    drawn = humane.vote_bar(votes)
    assert 'width="30.0"' in drawn
    assert ("machine" in drawn) == (predicted is not None)
    assert ("interval" in drawn) == (predicted is not None)
