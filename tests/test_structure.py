"""The code keeps to the shape that docs/architecture.md tells: layers, docstrings, `__all__`, sizes, forms."""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGE = CHECKOUT / "kirin_batch"
LONGEST_FUNCTION = 55
LONGEST_FILE = 450
SANDBOX_MAY_IMPORT = {"errors", "disk"}
VAGUE_NAMES = re.compile(r"(^|_)(utils?|helpers?|misc|common)($|_)")
NOQA = re.compile(r"#\s*(noqa|type: ignore)(?P<rest>.*)")
NOQA_WITH_REASON = re.compile(r"(: *[A-Z]+\d+(, *[A-Z]+\d+)*|\[[a-z\-, ]+\])\W+(?=.*\w{3}).+")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def package_files() -> tuple[Path, ...]:
    return tuple(sorted(PACKAGE.rglob("*.py")))


@cache
def all_files() -> tuple[Path, ...]:
    folders = (CHECKOUT / "tests", CHECKOUT / "benchmarks")
    others = (path for folder in folders for path in sorted(folder.rglob("*.py")))
    return (*package_files(), *others, CHECKOUT / "noxfile.py")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def module_name(path: Path) -> str:
    parts = path.relative_to(CHECKOUT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def place(path: Path, node: ast.AST | None = None) -> str:
    return f"{path.relative_to(CHECKOUT)}:{getattr(node, 'lineno', 1)}"


def layers() -> dict[str, int]:
    """The table of docs/architecture.md: the layer of each module right below the package."""
    text = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| *(\d+) *\|([^|]*)\|", text, flags=re.MULTILINE)
    return {name: int(number) for number, modules in rows for name in re.findall(r"`(\w+)`", modules)}


def top_of(module: str) -> str | None:
    """`kirin_batch.specs.matrix` is of `specs`; the package itself and strangers are of nothing."""
    package, _, rest = module.partition(".")
    return rest.partition(".")[0] or None if package == PACKAGE.name else None


def is_module(name: str) -> bool:
    path = CHECKOUT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def imports_of(path: Path) -> Iterator[tuple[ast.stmt, str]]:
    """Every import of the file, in functions and for type checking too, with the full name of what it takes."""
    package = module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node, f"{source}.{alias.name}" if is_module(f"{source}.{alias.name}") else source


def inner_imports(path: Path) -> Iterator[tuple[ast.stmt, str]]:
    """The imports of other parts of kirin_batch, each as the name right below the package."""
    own = top_of(module_name(path))
    for node, module in imports_of(path):
        top = top_of(module)
        if top is not None and top != own:
            yield node, top


def test_every_module_stands_in_the_table_of_layers() -> None:
    found = {top for path in package_files() if (top := top_of(module_name(path)))}
    missing = sorted(found - layers().keys())
    assert not missing, f"add to the table in docs/architecture.md: {missing}"
    gone = sorted(layers().keys() - found)
    assert not gone, f"remove from the table in docs/architecture.md: {gone}"


def test_a_module_imports_only_from_layers_below_its_own() -> None:
    layer = layers()
    offences = [
        f"{place(path, node)} {own} (layer {layer[own]}) imports {top} (layer {layer[top]})"
        for path in package_files()
        if (own := top_of(module_name(path))) in layer
        for node, top in inner_imports(path)
        if top in layer and layer[top] >= layer[own]
    ]
    assert not offences, "\n".join(dict.fromkeys(offences))


def test_the_sandbox_shares_no_rule_with_the_client_that_it_judges() -> None:
    sandbox = (path for path in package_files() if top_of(module_name(path)) == "sandbox")
    offences = [
        place(path, node) for path in sandbox for node, top in inner_imports(path) if top not in SANDBOX_MAY_IMPORT
    ]
    assert not offences, "\n".join(offences)


def test_every_module_opens_with_a_docstring() -> None:
    offences = [place(path) for path in package_files() if len(ast.get_docstring(tree_of(path)) or "") < 20]
    assert not offences, "\n".join(offences)


def test_every_module_tells_its_public_names() -> None:
    offences = [place(path) for path in package_files() if "__all__" not in defined_names(path)]
    assert not offences, "\n".join(offences)


def test_a_public_name_exists_and_has_a_docstring() -> None:
    offences = []
    for path in package_files():
        module = importlib.import_module(module_name(path))
        for name in getattr(module, "__all__", ()):
            if not hasattr(module, name):
                offences.append(f"{place(path)} lists {name}, which does not exist")
            elif name.startswith("__"):
                continue  # __version__ and the like are Python's own words
            elif (node := defined_names(path).get(name)) is not None and not is_documented(path, node):
                offences.append(f"{place(path, node)} {name} has no docstring")
    assert not offences, "\n".join(offences)


def defined_names(path: Path) -> dict[str, ast.stmt]:
    """What the module itself defines at its top level; names that it only imports have their docstring elsewhere."""
    names: dict[str, ast.stmt] = {}
    for node in tree_of(path).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names[name] = node
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                names[name] = node
            case _:
                pass
    return names


def is_documented(path: Path, node: ast.stmt) -> bool:
    """Functions and classes by their docstring; a constant or an alias by a string below it or a comment at it."""
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return bool(ast.get_docstring(node))
    body = tree_of(path).body
    match body[body.index(node) + 1 :]:
        case [ast.Expr(value=ast.Constant(value=str())), *_]:
            return True
    lines = path.read_text(encoding="utf-8").splitlines()
    end = node.end_lineno or node.lineno
    return any("# " in line for line in lines[node.lineno - 1 : end]) or lines[node.lineno - 2].startswith("# ")


def test_no_name_says_nothing() -> None:
    offences = [
        place(path) for path in all_files() if any(map(VAGUE_NAMES.search, Path(module_name(path)).name.split(".")))
    ]
    assert not offences, "\n".join(offences)


def test_no_signature_takes_any_keyword() -> None:
    offences = [place(path, node) for path in package_files() for node in functions_of(path) if node.args.kwarg]
    assert not offences, "\n".join(offences)


def test_functions_and_files_stay_short() -> None:
    offences = [
        f"{place(path, node)} {node.name} has {length} lines"
        for path in all_files()
        for node in functions_of(path)
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    for path in all_files():
        length = len(path.read_text(encoding="utf-8").splitlines())
        if length > LONGEST_FILE:
            offences.append(f"{place(path)} has {length} lines")
    assert not offences, "\n".join(offences)


def functions_of(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, FUNCTIONS))


def test_no_task_outlives_its_group() -> None:
    offences = [
        place(path, node)
        for path in all_files()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and is_loose_task(node.func)
    ]
    assert not offences, "\n".join(offences)


def is_loose_task(called: ast.expr) -> bool:
    match called:
        case ast.Name(id="create_task" | "gather" | "ensure_future"):
            return True
        case ast.Attribute(value=ast.Name(id="asyncio" | "loop"), attr="create_task" | "gather" | "ensure_future"):
            return True
        case ast.Attribute(value=ast.Call(), attr="create_task"):  # asyncio.get_running_loop().create_task(...)
            return True
    return False


def test_no_test_patches_what_it_tests() -> None:
    tests = (path for path in all_files() if path.is_relative_to(CHECKOUT / "tests"))
    offences = [place(path, node) for path in tests for node in ast.walk(tree_of(path)) if is_patching(node)]
    assert not offences, "\n".join(offences)


def is_patching(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(alias.name.startswith(("unittest.mock", "mock")) for alias in names)
        case ast.ImportFrom(module=str(module), names=names):
            return module.startswith(("unittest.mock", "mock")) or any(alias.name == "mock" for alias in names)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=subject), attr="setattr" | "setitem" | "delattr")):
            return "monkeypatch" in subject or subject in {"mp", "patch"}
    return False


def test_every_silenced_rule_says_why() -> None:
    offences = [
        f"{place(path)[:-2]}:{number} {line.strip()}"
        for path in all_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if (silenced := NOQA.search(line)) and path != Path(__file__) and not NOQA_WITH_REASON.match(silenced["rest"])
    ]
    assert not offences, "\n".join(offences)
