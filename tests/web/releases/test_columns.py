"""The columns of a catalogue, for every tree that we ship."""

from pathlib import Path

import pyarrow as pa
import pytest
from astropy import units
from astropy.io.votable.ucd import check_ucd

from lenticular.releases.columns import arrow_schema, release_columns, schema_document
from lenticular.releases.errors import ColumnClashError
from mlcore.tree import DecisionTree

TREES = sorted((Path(__file__).parents[3] / "fixtures" / "trees").glob("*.json"))


def yes_no(slug, answers):
    document = {
        "slug": slug,
        "text": {"en": slug},
        "answers": [{"slug": answer, "text": {"en": answer}} for answer in answers],
    }
    return DecisionTree.from_dict(
        {"slug": "t", "name": "T", "start": slug, "questions": [document]}
    )


@pytest.mark.parametrize("path", TREES, ids=lambda path: path.stem)
class TestShippedTrees:
    def test_each_answer_has_seven_columns_and_each_question_a_total(self, path):
        tree = DecisionTree.from_file(path)
        names = [column.name for column in release_columns(tree)]
        assert len(set(names)) == len(names)
        assert len(names) == 14 + len(tree.questions) + 7 * len(tree.label_cols)
        for column in tree.label_cols:
            assert {column, f"{column}_fraction", f"{column}_lower"} <= set(names)

    def test_ucds_units_and_descriptions_are_well_formed(self, path):
        for column in release_columns(DecisionTree.from_file(path)):
            assert column.description
            assert not column.ucd or check_ucd(column.ucd, check_controlled_vocabulary=True)
            units.Unit(column.unit, format="vounit")

    def test_the_schema_is_arrows_too(self, path):
        columns = release_columns(DecisionTree.from_file(path))
        schema = arrow_schema(columns)
        assert schema.names == [entry["name"] for entry in schema_document(columns)["columns"]]
        assert schema.field("ra").type == pa.float64()


@pytest.mark.parametrize(("question", "answer"), [("id", "str"), ("votes", "other")])
def test_a_label_column_named_like_another_is_refused(question, answer):
    with pytest.raises(ColumnClashError, match=f"'{question}_{answer}' comes 2 times"):
        release_columns(yes_no(question, [answer, "rest"]))
