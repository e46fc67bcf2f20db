"""The expression language, after "Evaluate expressions in workflows and actions" of GitHub's documentation."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutorial.github.availability import STEP, STEP_IF
from tutorial.github.document import Place, WorkflowError
from tutorial.github.expressions import (
    Scope,
    Strict,
    compile_condition,
    compile_template,
    evaluate,
)
from tutorial.github.syntax import ExpressionError, parse

PLACE = Place("a.yml", 7)
GITHUB = {
    "ref": "refs/heads/main",
    "event": {"n": 3.0, "labels": [{"name": "bug"}, {"name": "help"}, {"id": 1.0}], "none": None},
}
SCOPE = Scope(
    {
        "github": GITHUB,
        "env": {"Name": "value"},
        "vars": {},
        "steps": {"a": {"outputs": {"dashed-name": "yes"}}},
    },
    {"success": lambda: True, "failure": lambda: False, "always": lambda: True},
)


def value_of(text: str) -> Any:
    return evaluate(parse(text), SCOPE)


CASES = [
    # Literals
    ("null", None),
    ("true", True),
    ("false", False),
    ("711", 711),
    ("-9.2", -9.2),
    ("0xff", 255),
    ("0o17", 15),
    ("-2.99e-2", -0.0299),
    ("'Mona the Octocat'", "Mona the Octocat"),
    ("'It''s open source!'", "It's open source!"),
    ("''", ""),
    # Comparison turns unlike types into numbers
    ("null == 0", True),
    ("null == ''", True),
    ("true == 1", True),
    ("false == 0", True),
    ("'' == 0", True),
    ("'1' == 1", True),
    ("' 1 ' == 1", True),
    ("'0x10' == 16", True),
    ("'1e2' == 100", True),
    ("'one' == 1", False),
    ("'true' == true", False),
    ("'one' != 1", True),
    ("null == null", True),
    ("NaN == NaN", False),
    # Strings ignore case
    ("'Main' == 'mAIN'", True),
    ("'a' < 'B'", True),
    ("'b' > 'A'", True),
    # An order with NaN is false
    ("'one' < 1", False),
    ("'one' >= 1", False),
    ("2 >= 2", True),
    ("'10' > 9", True),
    ("null <= 0", True),
    # Objects and arrays are equal only if they are the same instance
    ("github == github", True),
    ("github.event == github.event", True),
    ("fromJSON('{}') == fromJSON('{}')", False),
    ("fromJSON('[]') == ''", False),
    # && and || return operands
    ("'a' && 'b'", "b"),
    ("'' && 'b'", ""),
    ("null || 'b'", "b"),
    ("'a' || 'b'", "a"),
    ("0 || null", None),
    ("github.ref == 'refs/heads/main' && 'live' || 'dry'", "live"),
    # What counts as true
    ("!null", True),
    ("!0", True),
    ("!-0", True),
    ("!''", True),
    ("!'0'", False),
    ("!'false'", False),
    ("!github", False),
    ("!fromJSON('[]')", False),
    ("!!NaN", False),
    # Precedence
    ("true || false && false", True),
    ("(true || false) && false", False),
    ("1 < 2 == true", True),
    ("!false == true", True),
    # Properties
    ("github.event.n", 3),
    ("github['ref']", "refs/heads/main"),
    ("GitHub.REF", "refs/heads/main"),
    ("env.NAME", "value"),
    ("steps.a.outputs.dashed-name", "yes"),
    ("github.event.nothing.at.all", None),
    ("github.event.none.x", None),
    ("github.ref.x", None),
    ("github.event.labels[1].name", "help"),
    ("github.event.labels['1'].name", "help"),
    ("github.event.labels[9]", None),
    ("github.event.labels[-1]", None),
    ("github.event.labels.*.name", ["bug", "help"]),
    ("join(github.event.labels.*.name, '+')", "bug+help"),
    ("contains(github.event.labels.*.name, 'BUG')", True),
    # Functions
    ("contains('Hello world', 'LLO')", True),
    ("contains('a1', 1)", True),
    ("contains(fromJSON('[\"push\", \"pull_request\"]'), 'push')", True),
    ("contains(fromJSON('[\"pushed\"]'), 'push')", False),
    ("contains(null, '')", True),
    ("startsWith('Hello world', 'he')", True),
    ("endsWith('Hello world', 'LD')", True),
    ("startsWith(github, 'O')", False),
    ("format('Hello {0} {1} {0}', 'a', 2)", "Hello a 2 a"),
    ("format('{{Hello {0}!}}', 'x')", "{Hello x!}"),
    ("format('{0}{1}{2}{3}', null, true, 1.50, github)", "true1.5Object"),
    ("join(fromJSON('[1, true, null, \"x\"]'))", "1,true,,x"),
    ("join('alone')", "alone"),
    ("toJSON('a\"b')", '"a\\"b"'),
    ("toJSON(fromJSON('{\"a\":[1,2.5]}'))", '{\n  "a": [\n    1,\n    2.5\n  ]\n}'),
    ("toJSON(null)", "null"),
    ('fromJSON(\'{"a": {"b": false}}\').a.b', False),
    ("fromJSON('3')", 3),
    ("success()", True),
    ("failure()", False),
    ("always()", True),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_documented_rules(text: str, expected: object) -> None:
    value = value_of(text)
    assert value == expected
    assert isinstance(value, bool) == isinstance(expected, bool)


def test_nan_is_what_is_no_number() -> None:
    assert math.isnan(value_of("NaN"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "(",
        "a b",
        '"x"',
        "'x",
        "github.",
        "github[",
        "1 +",
        "== 1",
        "contains('a',)",
        "a.b.'c'",
        "1x",
        "github && ",
        "(" * 60 + "1" + ")" * 60,
        "!" * 60 + "1",
        " && ".join(["1"] * 60),
        "'" + "x" * 21_000 + "'",
        "nowhere.x",
        "nothing()",
        "contains('a')",
        "fromJSON('{')",
        "fromJSON('')",
        "format('{0}')",
        "format('{', 1)",
        "format('{x}', 1)",
        "fromJSON('" + "[" * 20_000 + "')",
    ],
)
def test_what_cannot_be_read_or_evaluated_is_an_error(text: str) -> None:
    with pytest.raises(ExpressionError):
        value_of(text)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("", ""),
        ("a ${{ env.name }} b${{ 1 }}", "a value b1"),
        ("${{ '}}' }}", "}}"),
        ("${{ null }}", ""),
        ("${{ github }} ${{ github.event.labels }}", "Object Array"),
        ("${{ true }}", "true"),
        ("${{ 0.1 }} ${{ 1e3 }} ${{ -0 }} ${{ 1e21 }}", "0.1 1000 0 1E+21"),
        ("$${{ 1 }}{{ x }}", "$1{{ x }}"),
    ],
)
def test_templates(template: str, text: str) -> None:
    assert compile_template(template, PLACE, STEP).text(SCOPE) == text


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("github.ref == 'refs/heads/main'", True),
        ("${{ github.ref == 'x' }}", False),
        ("true", True),
        ("failure()", False),
        ("!failure()", True),
        ("always()", True),
    ],
)
def test_conditions(condition: str, value: bool) -> None:
    assert bool(compile_condition(condition, PLACE, STEP_IF).value(SCOPE)) is value


def test_a_condition_implies_success_unless_it_asks_for_a_status() -> None:
    failed = Scope(SCOPE.contexts, {"success": lambda: False, "failure": lambda: True})
    assert not compile_condition("true", PLACE, STEP_IF).value(failed)
    assert not compile_condition("github.ref != 'success()'", PLACE, STEP_IF).value(failed)
    assert compile_condition("true && failure()", PLACE, STEP_IF).value(failed)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("secrets.KEY != ''", "`secrets` is not available here"),
        ("nowhere.x", "`nowhere` is not available here"),
        ("hashfile('x')", "`hashfile` is not available here"),
        ("${{ true }} && false", "always true"),
        ("true &&", "a value is expected"),
    ],
)
def test_a_wrong_condition_names_file_and_line(text: str, words: str) -> None:
    with pytest.raises(WorkflowError, match=r"^a\.yml:7: ") as caught:
        compile_condition(text, PLACE, STEP_IF)
    assert words in str(caught.value)


def test_status_functions_belong_to_conditions() -> None:
    with pytest.raises(WorkflowError, match="`success` is not available here"):
        compile_template("${{ success() }}", PLACE, STEP)


def test_the_line_of_the_wrong_expression_is_told() -> None:
    with pytest.raises(WorkflowError, match=r"^a\.yml:9: "):
        compile_template("one ${{ env.a }}\ntwo\n${{ nowhere }}", PLACE, STEP)


def test_a_context_that_is_wholly_known_refuses_other_properties() -> None:
    scope = Scope({"github": Strict({"ref": "x"})})
    template = compile_template("${{ github.refname }}", PLACE, STEP)
    with pytest.raises(WorkflowError, match=r"a\.yml:7: .*`github\.refname`"):
        template.text(scope)


ATOMS = """
null true '' 'a' '{0}' '[' NaN -1 1e400 github env.x steps github.event.labels github.event.labels.*
github.event fromJSON('[[1]]')
"""
atoms = st.sampled_from(ATOMS.split())
expressions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["==", "!=", "<", ">=", "&&", "||"]), inner).map(" ".join),
        inner.map("!({})".format),
        st.tuples(inner, inner).map("({0[0]})[{0[1]}]".format),
        inner.map("({}).*.name".format),
        st.tuples(
            st.sampled_from(["contains", "startsWith", "format", "join", "toJSON", "fromJSON"]),
            st.lists(inner, min_size=1, max_size=2).map(", ".join),
        ).map("{0[0]}({0[1]})".format),
    ),
    max_leaves=8,
)


@given(st.one_of(expressions, st.text(max_size=40), st.text("()[]!<>=&|.*,'01aex ", max_size=40)))
def test_nothing_but_its_own_error_is_raised(text: str) -> None:
    try:
        value_of(text)
        compile_template("x ${{" + text + "}}", PLACE, STEP).text(SCOPE)
    except (ExpressionError, WorkflowError):
        pass
