"""The budget of the house: sizes, annotations, docstrings. An exception is a line here with its reason."""

import ast
import importlib
import inspect
import statistics

import pytest

FILE_LINES = 500
FILE_MEDIAN = 200
FUNCTION_LINES = 80
FUNCTION_P90 = 35
FUNCTION_MEDIAN = 10

# "path" or "path:function" -> why it may be larger than the rest
EXCEPTIONS: dict[str, str] = {}

# The same sizes hold for what is not shipped, except the medians and the ninety per cent.
ALSO = ("tests", "scripts", "benchmarks")

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]


def length(node):
    """The lines of a function: signature and body, without decorators and docstring."""
    lines = node.end_lineno - node.lineno + 1
    first = node.body[0]
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        lines -= first.end_lineno - first.lineno + 1
    return lines


@pytest.fixture(scope="module")
def hand_written(root, sources):
    """Every Python file of the repository that people write, parsed."""
    found = dict(sources)
    for folder in ALSO:
        for path in (root / folder).rglob("*.py"):
            if "fixtures" not in path.parts and "golden" not in path.parts:
                found[path] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def line_count(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_file_is_too_long(root, hand_written):
    names = {str(path.relative_to(root)): line_count(path) for path in hand_written}
    assert {
        name: lines for name, lines in names.items() if lines > FILE_LINES and name not in EXCEPTIONS
    } == {}


def test_no_function_is_too_long(root, hand_written):
    long = {
        f"{path.relative_to(root)}:{node.name}": length(node)
        for path, tree in hand_written.items()
        for node in functions(tree)
        if length(node) > FUNCTION_LINES
    }
    assert {name: lines for name, lines in long.items() if name not in EXCEPTIONS} == {}


def test_files_are_short_on_the_whole(sources):
    assert statistics.median(line_count(path) for path in sources) <= FILE_MEDIAN


def test_functions_are_short_on_the_whole(sources):
    lengths = sorted(length(node) for tree in sources.values() for node in functions(tree))
    assert statistics.median(lengths) <= FUNCTION_MEDIAN
    assert lengths[int(len(lengths) * 0.9)] <= FUNCTION_P90


def test_exceptions_are_still_needed(root, hand_written):
    sizes = {str(path.relative_to(root)): line_count(path) > FILE_LINES for path in hand_written}
    for path, tree in hand_written.items():
        for node in functions(tree):
            sizes[f"{path.relative_to(root)}:{node.name}"] = length(node) > FUNCTION_LINES
    assert [name for name in EXCEPTIONS if not sizes.get(name)] == []


def unannotated(node, method):
    arguments = [*node.args.posonlyargs, *node.args.args]
    if method and "staticmethod" not in {ast.unparse(one) for one in node.decorator_list}:
        arguments = arguments[1:]
    arguments += [*node.args.kwonlyargs, *filter(None, (node.args.vararg, node.args.kwarg))]
    return node.returns is None or any(one.annotation is None for one in arguments)


def test_everything_is_annotated(root, sources):
    bare = []
    for path, tree in sources.items():
        methods = {
            item
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
            for item in node.body
            if isinstance(item, FUNCTIONS)
        }
        bare += [
            f"{path.relative_to(root)}:{node.lineno} {node.name}"
            for node in functions(tree)
            if unannotated(node, node in methods)
        ]
    assert bare == []


def described(thing, name):
    """Whether somebody wrote a docstring (dataclasses make one from the signature)."""
    text = vars(thing).get("__doc__") if inspect.isclass(thing) else inspect.getdoc(thing)
    return bool(text) and not text.startswith(f"{name}(")


@pytest.mark.parametrize("module", ["agraph", "agraph_static"])
def test_every_public_name_has_a_docstring(module):
    package = importlib.import_module(module)
    assert described(package, module)
    bare = []
    for name in package.__all__:
        thing = getattr(package, name)
        if not getattr(thing, "__module__", module).startswith("agraph"):
            continue  # asyncio's own, passed on
        if inspect.isclass(thing):
            own = [
                (key, getattr(thing, key)) for key, value in vars(thing).items() if not key.startswith("_")
            ]
            bare += [
                f"{name}.{key}"
                for key, value in own
                if inspect.isroutine(value) and not described(value, key)
            ]
        if (inspect.isclass(thing) or inspect.isroutine(thing)) and not described(thing, name):
            bare.append(name)
    assert bare == []


def test_every_module_says_what_it_is(root, sources):
    silent = [
        str(path.relative_to(root))
        for path, tree in sources.items()
        if tree.body and not ast.get_docstring(tree)
    ]
    assert silent == []
