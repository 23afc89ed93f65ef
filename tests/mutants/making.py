"""Make mutants: a module's source with one place changed, by the operators of mutmut.

mutmut itself changes functions alone. Here tables, defaults and properties are changed as well; not what is fixed when
a class is made from it: members of enumerations and fields of models.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider, WhitespaceInclusivePositionProvider
from mutmut.mutation.mutators import mutation_operators

#: What is called or annotated so is no constant that decides.
_NO_CONSTANTS = {"Annotated", "TypeVar", "TypeAlias", "getLogger", "Counter", "Gauge", "Histogram"}


@dataclass(frozen=True)
class Mutant:
    """A statement of a module with one place changed. `name` is of what it defines: a function, class or constant.

    `lines` are those of the smallest statement around the place, without what it contains.
    """

    file: str
    module_name: str
    name: str
    lines: range
    begins: int
    original: str
    text: str

    @cached_property
    def change(self) -> tuple[str, str]:
        """What stood there, and what stands there: the lines that differ, which tell mutants apart when lines move."""
        before, after = self.original.splitlines(), self.text.splitlines()
        first = next(at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other)
        last = next(at for at, (one, other) in enumerate(zip(before[::-1], after[::-1], strict=False)) if one != other)
        told = (" ".join(line.strip() for line in lines[first : len(lines) - last]) for lines in (before, after))
        return next(told), next(told)

    def apply(self, module_text: str) -> str:
        """Return the text of the module with the place changed."""
        lines = module_text.splitlines(keepends=True)
        end = self.begins - 1 + len(self.original.splitlines())
        return "".join([*lines[: self.begins - 1], self.text, *lines[end:]])

    def __str__(self) -> str:
        before, after = self.change
        return f"{self.file}:{self.lines.start} in {self.name}\n    - {before}\n    + {after}"


@dataclass(frozen=True)
class Source:
    """A module: its file below the repository, the name it is imported by, its text."""

    file: str
    module_name: str
    text: str

    @classmethod
    def read(cls, root: Path, path: Path) -> "Source":
        """Read a module of a distribution, whose folder holds the package."""
        package = path.parent
        while (package.parent / "__init__.py").exists():
            package = package.parent
        module_name = ".".join(path.relative_to(package.parent).with_suffix("").parts)
        return cls(str(path.relative_to(root)), module_name.removesuffix(".__init__"), path.read_text("utf-8"))

    @cached_property
    def statements(self) -> Mapping[int, range]:
        """By line, the lines of the smallest statement around it, without those of what the statement contains."""
        found: dict[int, range] = {}
        for node in ast.walk(ast.parse(self.text)):  # outer ones come first
            if isinstance(node, ast.stmt):
                body = getattr(node, "body", None)
                end = body[0].lineno if body else (node.end_lineno or node.lineno) + 1
                found |= dict.fromkeys(range(node.lineno, max(end, node.lineno + 1)), range(node.lineno, end))
        return found

    def mutants(self) -> Iterator[Mutant]:
        """Yield all mutants of the module."""
        wrapper = MetadataWrapper(cst.parse_module(self.text), unsafe_skip_copy=True)
        places = wrapper.resolve(WhitespaceInclusivePositionProvider)
        begins = wrapper.resolve(PositionProvider)
        lines = [*self.text.splitlines(keepends=True), ""]
        for statement in wrapper.module.body:
            first, last = begins[statement].start.line, begins[statement].end.line
            if isinstance(statement, cst.FunctionDef | cst.ClassDef) and statement.decorators:
                first = begins[statement.decorators[0]].start.line
            original = "".join(lines[first - 1 : last])
            for name, node, changed in _changes_of(statement):
                place = places[node]
                before = [*lines[first - 1 : place.start.line - 1], lines[place.start.line - 1][: place.start.column]]
                after = [lines[place.end.line - 1][place.end.column :], *lines[place.end.line : last]]
                text = "".join([*before, wrapper.module.code_for_node(changed), *after])
                smallest = self.statements[begins[node].start.line]
                yield Mutant(self.file, self.module_name, name, smallest, first, original, text)


def constants_of(text: str) -> Iterator[tuple[str, str, set[str]]]:
    """Yield the constants of a module: the name, the statement, and the names that it is made of."""
    for statement in ast.parse(text).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(targets[0], ast.Name):
            named = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
            yield targets[0].id, ast.unparse(statement), named


def _changes_of(statement: cst.CSTNode) -> Iterator[tuple[str, cst.CSTNode, cst.CSTNode]]:
    for name, part in _parts(statement):
        for node in _changeable(part):
            for changed in _changes(node):
                yield name, node, changed


def _parts(statement: cst.CSTNode) -> Iterator[tuple[str, cst.CSTNode]]:
    """Yield what may be changed of a statement of a module, with the name under which the module has it."""
    if isinstance(statement, cst.FunctionDef):
        yield statement.name.value, statement
    elif isinstance(statement, cst.ClassDef):
        bases = {_last_name(base.value) for base in statement.bases}
        is_fixed = bool(bases - {"NamedTuple"}) and not statement.decorators  # an enumeration, a model
        for member in statement.body.body:
            if isinstance(member, cst.FunctionDef) or not is_fixed:
                yield statement.name.value, member
    elif isinstance(statement, cst.SimpleStatementLine):
        for each in statement.body:
            if isinstance(each, cst.Assign | cst.AnnAssign) and not _is_no_constant(each):
                target = each.target if isinstance(each, cst.AnnAssign) else each.targets[0].target
                if isinstance(target, cst.Name) and target.value != "__all__":
                    yield target.value, each


def _is_no_constant(node: cst.Assign | cst.AnnAssign) -> bool:
    made_by = getattr(node.value, "func", None)  # a call
    part_of = getattr(node.value, "value", None)  # a subscript
    said = node.annotation.annotation if isinstance(node, cst.AnnAssign) else None
    return bool({_last_name(each) for each in (made_by, part_of, said)} & _NO_CONSTANTS)


def _last_name(node: cst.CSTNode | None) -> str:
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else ""


def _changeable(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield the nodes that change what a program does: no types, no decorators, nothing that only people read."""
    if isinstance(node, cst.Annotation | cst.Decorator) or _is_for_people(node):
        return
    yield node
    for child in node.children:
        if not (isinstance(child, cst.Arg) and child.keyword is not None and child.keyword.value == "strict"):
            yield from _changeable(child)


def _is_for_people(node: cst.CSTNode) -> bool:
    """Return whether this is a sentence, a line of the log, or a metric."""
    if isinstance(node, cst.SimpleString):
        return " " in node.value
    called = node.func if isinstance(node, cst.Call) else None
    while isinstance(called, cst.Attribute | cst.Call):
        if isinstance(called, cst.Attribute) and (called.attr.value == "labels" or _last_name(called.value) == "log"):
            return True
        called = called.value if isinstance(called, cst.Attribute) else called.func
    return False


def _changes(node: cst.CSTNode) -> Iterable[cst.CSTNode]:
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            changed = list(operator(node))
            # Of a text one change is enough; the operator has three.
            yield from changed[:1] if kind is cst.BaseString else [each for each in changed if not _is_idle(node, each)]


def _is_idle(node: cst.CSTNode, changed: cst.CSTNode) -> bool:
    """Return whether nothing changes but how nothing is written, or what `zip` checks."""
    if isinstance(node, cst.Assign | cst.AnnAssign) and isinstance(changed, cst.Assign | cst.AnnAssign):
        return _is_nothing(node.value) and _is_nothing(changed.value)
    if isinstance(node, cst.Call) and isinstance(changed, cst.Call) and _last_name(node.func) == "zip":
        return list(node.args[:-1]) in (list(changed.args), list(changed.args[:-1]))
    return False


def _is_nothing(value: cst.CSTNode | None) -> bool:
    return isinstance(value, cst.Name | cst.SimpleString) and value.value in {"None", "False", '""'}
