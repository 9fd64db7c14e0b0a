import contextlib
import io
import re
from pathlib import Path

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "choosing.md"


def test_the_worked_example_prints_what_its_page_says():
    code, said = re.search(
        r"```python\n(.*?)```.*?```text\n(.*?)```", PAGE.read_text(), re.S
    ).groups()
    heard = io.StringIO()
    with contextlib.redirect_stdout(heard):
        exec(code, {})  # noqa: S102 - our own page
    assert heard.getvalue() == said
