import contextlib
import io
import re
from pathlib import Path

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "choosing.md"


def test_the_worked_example_prints_what_its_page_says():
    code, said = re.search(
        r"```python\n(.*?)```.*?```text\n(.*?)```", PAGE.read_text(), re.DOTALL
    ).groups()
    heard = io.StringIO()
    with contextlib.redirect_stdout(heard):
        exec(code, {})
    assert heard.getvalue() == said
