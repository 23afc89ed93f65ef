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
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

#: Names that only a type checker reads are given by these.
_TYPES = {"TypeVar", "TypeAlias", "NewType"}


@dataclass(frozen=True)
class Mutant:
    """A module with one place changed. `name` is of the function, class or constant of the module that holds the place.

    `lines` are those of the smallest statement around the place, without what it contains.
    """

    source: "Source"
    name: str
    lines: range
    original: cst.CSTNode
    changed: cst.CSTNode

    @cached_property
    def text(self) -> str:
        """The source of the whole module."""
        return self.source.module.deep_replace(self.original, self.changed).code  # type: ignore[arg-type]

    @cached_property
    def change(self) -> tuple[str, str]:
        """What stood there, and what stands there: the lines that differ, by which a mutant is known when others move."""
        before, after = self.source.text.splitlines(), self.text.splitlines()
        first = next(at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other)
        last = next(at for at, (one, other) in enumerate(zip(before[::-1], after[::-1], strict=False)) if one != other)
        told = (" ".join(line.strip() for line in lines[first : len(lines) - last]) for lines in (before, after))
        return next(told), next(told)

    def __str__(self) -> str:
        before, after = self.change
        return f"{self.source.file}:{self.lines.start} in {self.name}\n    - {before}\n    + {after}"


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
        return cls(str(path.relative_to(root)), module_name, path.read_text("utf-8"))

    @cached_property
    def wrapper(self) -> MetadataWrapper:
        """The module's syntax, with positions."""
        return MetadataWrapper(cst.parse_module(self.text), unsafe_skip_copy=True)

    @property
    def module(self) -> cst.Module:
        """The module's syntax."""
        return self.wrapper.module

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
        positions = self.wrapper.resolve(PositionProvider)
        for statement in self.module.body:
            for name, part in _parts(statement):
                for node in _changeable(part):
                    line = positions[node].start.line if node in positions else positions[part].start.line
                    for changed in _changes(node):
                        yield Mutant(self, name, self.statements[line], node, changed)


def _parts(statement: cst.CSTNode) -> Iterator[tuple[str, cst.CSTNode]]:
    """Yield what may be changed of a statement of a module, with the name under which the module has it."""
    if isinstance(statement, cst.FunctionDef):
        yield statement.name.value, statement
    elif isinstance(statement, cst.ClassDef):
        bases = {_last_name(base.value) for base in statement.bases}
        is_fixed = bool(bases & {"Enum", "StrEnum", "IntEnum", "BaseModel"})
        for member in statement.body.body:
            if isinstance(member, cst.FunctionDef) or not is_fixed:
                yield statement.name.value, member
    elif isinstance(statement, cst.SimpleStatementLine):
        for each in statement.body:
            if isinstance(each, cst.Assign | cst.AnnAssign) and not _is_type(each):
                target = each.target if isinstance(each, cst.AnnAssign) else each.targets[0].target
                if isinstance(target, cst.Name):
                    yield target.value, each


def _is_type(node: cst.Assign | cst.AnnAssign) -> bool:
    made_by = node.value.func if isinstance(node.value, cst.Call) else None
    said = node.annotation.annotation if isinstance(node, cst.AnnAssign) else None
    return bool({_last_name(made_by), _last_name(said)} & _TYPES)


def _last_name(node: cst.CSTNode | None) -> str:
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else ""


def _changeable(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield the nodes that change what a program does: no annotation, no decorator, and no words for people."""
    if isinstance(node, cst.Annotation | cst.Decorator) or (isinstance(node, cst.SimpleString) and " " in node.value):
        return
    yield node
    for child in node.children:
        yield from _changeable(child)


def _changes(node: cst.CSTNode) -> Iterable[cst.CSTNode]:
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            changed = operator(node)
            # Of a text one change is enough; the operator has three.
            yield from list(changed)[:1] if kind is cst.BaseString else changed
