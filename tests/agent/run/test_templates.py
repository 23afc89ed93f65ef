"""The templates of `agent.toml` are those of agents of protocol `openai`, though they share no code."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts import templates as ours
from signoff_agent.run import templates

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "0", "title"]), each),
    max_leaves=8,
)
REQUESTS = st.dictionaries(st.sampled_from([*ours.NAMES, "job_id"]), VALUES)
PIECES = st.sampled_from(
    [*("{", "{{", "}}", "}", "{{title}}", "{{ payload.a }}", "{{payload.a.0}}", "{{payload.-1.b}}", "{{feedback.b}}"),
     *("{{secret}}", "{{payload..a}}", "{{payload.}}", "{{\n}}", "{{payload" + ".a" * 21 + "}}", ".", "a", "é", "\n")]
)  # fmt: skip
TEMPLATES = st.lists(PIECES, max_size=6).map("".join)


def fill(module: Any, template: str, request: dict[str, Any]) -> str:
    check, put = (module.check_text, module.fill_text) if module is ours else (module.check, module.fill)
    try:
        return str(put(check(template), request))
    except ValueError as error:
        return f"refused: {error}"


@given(TEMPLATES, REQUESTS)
def test_same_texts_and_refusals(template: str, request: dict[str, Any]) -> None:
    assert fill(templates, template, request) == fill(ours, template, request)


@given(REQUESTS)
def test_same_default(request: dict[str, Any]) -> None:
    assert fill(templates, templates.DEFAULT, request) == fill(ours, ours.DEFAULT, request)
