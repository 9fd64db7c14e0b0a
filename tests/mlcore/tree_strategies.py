"""Random decision trees for property tests, and slow, obvious references."""

from __future__ import annotations

from hypothesis import strategies as st

from mlcore.tree import Answer, DecisionTree, Question


@st.composite
def trees(draw, max_questions=6, max_answers=4):
    """Draw a tree: question i may lead only to later ones, and every one is reached."""
    n = draw(st.integers(1, max_questions))
    nexts = [draw(st.lists(_following(i, n), min_size=2, max_size=max_answers)) for i in range(n)]
    for i in range(1, n):
        if not any(i in row for row in nexts):
            nexts[draw(st.integers(0, i - 1))].append(i)
    questions = [_question(i, row, draw) for i, row in enumerate(nexts)]
    return DecisionTree("random", "Random", "q0", tuple(draw(st.permutations(questions))))


def _following(i, n):
    later = st.integers(i + 1, n - 1) if i + 1 < n else st.nothing()
    return st.one_of(st.none(), later)


def _question(i, row, draw):
    artifact = draw(st.booleans())
    answers = tuple(
        Answer(
            slug=f"a{place}",
            texts={"en": f"Answer {place}", "zh-hant": f"答 {place}"},
            next=None if following is None else f"q{following}",
            icon=draw(st.sampled_from(["", "round"])),
            artifact=artifact and place == 0,
        )
        for place, following in enumerate(row)
    )
    return Question(f"q{i}", {"en": f"Question {i}?"}, {"en": "Help"}, answers)


def all_paths(tree, slug=None):
    """Enumerate every complete path by recursion."""
    slug = slug or tree.start
    for answer in tree.question(slug).answers:
        step = ((slug, answer.slug),)
        if answer.next is None:
            yield step
        else:
            for rest in all_paths(tree, answer.next):
                yield step + rest
