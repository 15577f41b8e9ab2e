"""Where the fields of a campaign are worked out: a small part of Jinja, checked before it runs and counted while it does.

What a writer may say is a list of allowed words, not of forbidden ones: fields, filters, conditions, loops over lists. There is
no call, no attribute but a loop's, no power, and numbers, texts and lists have a largest size. Work is counted in steps before
each loop begins, so that nothing can run away between two looks at the clock.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jinja2 import TemplateSyntaxError, nodes, pass_context
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _
from colporteur.mail.campaigns import faults, filters

SOURCE, OUTPUT = 1_000_000, 2_000_000
"""Characters of a part as written, and of what one copy of it may become."""
STEPS = 100_000
"""Steps for one copy: about as many as nodes of the template are worked out."""
SECONDS = 2.0
"""Of a processor for one copy: a machine that stands still for a while fails nobody's."""
TAGS, NODES, DEPTH = 4_000, 20_000, 40
_METER = "_meter"
_LOOP = frozenset("index index0 revindex revindex0 first last length".split())
_TAKEN = frozenset("self super caller varargs kwargs".split())
_BINARY = {"+", "-", "*", "/", "//", "%"}
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.List, nodes.Tuple, nodes.CondExpr, nodes.Filter, nodes.Test, nodes.Getattr,
    nodes.Getitem, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg,
    nodes.Pos, nodes.Concat, nodes.For, nodes.If, nodes.Assign,
)  # fmt: skip


class Meter:
    """What one copy has used of its steps, time and size, in one thread. Raises ``Invalid`` when it is too much."""

    __slots__ = ("_clock", "_ends", "_size", "_steps")

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        self._clock, self._steps, self._size, self._ends = clock, STEPS, OUTPUT, clock() + SECONDS

    def step(self, steps: int) -> None:
        """So many steps are about to be made."""
        self._steps -= steps
        if self._steps < 0 or self._clock() > self._ends:
            raise Invalid(_("a copy takes too long: there are too many loops, or loops in loops"))

    def wrote(self, size: int) -> None:
        """So many characters were written."""
        self._size -= size
        if self._size < 0:
            raise Invalid(_("a copy becomes too large"))


@pass_context
def _counted(context: Context, value: Any, weight: int) -> list[Any]:
    """What a loop goes over, paid for before it begins."""
    held = filters.as_list(value)
    context[_METER].step(1 + weight * len(held))
    return held


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja with our filters and tests and nothing else."""

    intercepted_binops = frozenset(_BINARY)

    def __init__(self, *, html: bool) -> None:
        super().__init__(autoescape=html, optimized=False, cache_size=0, keep_trailing_newline=True, trim_blocks=not html, lstrip_blocks=not html, finalize=filters.shown)
        self.globals.clear()
        self.filters = {**filters.FILTERS, **filters.OURS, "_counted": _counted}
        self.tests = dict(filters.TESTS)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic of numbers; ``+`` of texts. Everything else is refused."""
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return filters.short(left + right)
        one, other = filters.number(left), filters.number(right)
        if operator in ("/", "//", "%") and not other:
            raise Invalid(_("something is divided by nothing"))
        return filters.number(super().call_binop(context, operator, one, other))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """What a loop knows of itself."""
        if isinstance(obj, LoopContext) and attribute in _LOOP:
            return getattr(obj, attribute)
        raise Invalid(_("“loop” stands for a loop, and here is none"))

    def getitem(self, obj: Any, argument: Any) -> Any:
        """One of a list, by its number."""
        if isinstance(obj, list | tuple | str) and isinstance(argument, int) and not isinstance(obj, Undefined):
            return obj[argument] if -len(obj) <= argument < len(obj) else ""
        raise Invalid(_("only a list has items: “[%(name)s]”"), name=filters.shown(argument)[:60])


HTML, TEXT = Sandbox(html=True), Sandbox(html=False)


class Unreadable(Invalid):
    """A fault in one line of a template."""


def parsed(source: str, sandbox: Sandbox) -> nodes.Template:
    """The template, allowed as a whole. Raises ``Invalid``; what is wrong in one line ``Unreadable``."""
    if len(source) > SOURCE:
        raise Invalid(_("this is longer than a newsletter can be"))
    if sum(source.count(opening) for opening in ("{{", "{%", "{#")) > TAGS:
        raise Invalid(_("there are too many fields and conditions"))
    try:
        tree = sandbox.parse(source)
    except TemplateSyntaxError as error:
        raise Unreadable(_("line %(line)d: %(reason)s"), line=error.lineno, reason=faults.told(error.message or "")) from None
    except (RecursionError, ValueError, OverflowError):
        raise Invalid(_("fields and conditions nest too deeply")) from None
    for count, (node, depth) in enumerate(_walk(tree)):
        if depth > DEPTH or count > NODES:
            raise Invalid(_("fields and conditions nest too deeply") if depth > DEPTH else _("there are too many fields and conditions"))
        _allow(node)
    return tree


def _walk(tree: nodes.Node) -> Iterator[tuple[nodes.Node, int]]:
    """Every node and how deep it stands; the branches of a condition each deeper than the last, as Python will have them."""
    stack = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        branches = node.elif_ if isinstance(node, nodes.If) else []
        stack += [(branch, depth + 1 + number) for number, branch in enumerate(branches)]
        stack += [(child, depth + 1) for child in node.iter_child_nodes(exclude=("elif_",))]


def _allow(node: nodes.Node) -> None:
    line = node.lineno or 0
    if isinstance(node, nodes.Call):
        raise Unreadable(_("line %(line)d: nothing can be called in a newsletter: fields, filters, conditions and loops are what there is"), line=line)
    if not isinstance(node, _ALLOWED):
        raise Unreadable(_("line %(line)d: “%(word)s” is not possible in a newsletter"), line=line, word=_WORDS.get(type(node).__name__, type(node).__name__.lower()))
    if isinstance(node, nodes.Filter) and not _fits(node, filters.FILTERS):
        raise Unreadable(_("line %(line)d: there is no filter “%(word)s” that is written so"), line=line, word=node.name[:60])
    if isinstance(node, nodes.Test) and not _fits(node, filters.TESTS):
        raise Unreadable(_("line %(line)d: there is no test “%(word)s” that is written so"), line=line, word=node.name[:60])
    if isinstance(node, nodes.Getattr) and not (isinstance(node.node, nodes.Name) and node.node.name == "loop" and node.attr in _LOOP):
        raise Unreadable(_("line %(line)d: nothing can be asked of a value by a dot: “.%(word)s”"), line=line, word=node.attr[:60])
    if isinstance(node, nodes.Name) and (node.name.startswith("_") or node.name in _TAKEN or (node.ctx != "load" and node.name == "loop")):
        raise Unreadable(_("line %(line)d: “%(word)s” is not possible in a newsletter"), line=line, word=node.name[:60])
    if isinstance(node, nodes.For) and (node.recursive or not isinstance(node.target, nodes.Name)):
        raise Unreadable(_("line %(line)d: a loop goes over one list, with one name for what comes next"), line=line)
    if isinstance(node, nodes.Assign) and not isinstance(node.target, nodes.Name):
        raise Unreadable(_("line %(line)d: “set” gives one name one value"), line=line)
    if isinstance(node, nodes.Const) and isinstance(node.value, int | str) and not isinstance(node.value, bool):
        filters.short(node.value) if isinstance(node.value, str) else filters.number(node.value)


def _fits(node: nodes.Filter | nodes.Test, known: Mapping[str, Callable[..., Any]]) -> bool:
    """Whether there is such a function, and it takes what it is given."""
    if node.node is None or node.name not in known or node.kwargs or node.dyn_args or node.dyn_kwargs:
        return False
    takes = inspect.signature(known[node.name]).parameters.values()
    least = sum(one.default is one.empty for one in takes)
    return least <= 1 + len(node.args) <= len(takes)


_WORDS = {"Pow": "**", "Slice": "[:]", "Dict": "{}", "FilterBlock": "filter", "CallBlock": "call", "AssignBlock": "set", "FromImport": "import", "ScopedEvalContextModifier": "autoescape"}


def weight(children: list[nodes.Node]) -> int:
    """Steps to go through these once, loops in them once."""
    return sum(1 for child in children for _node in _walk(child))


class Program:
    """A template ready to run: ``chunks`` gives what one copy reads, piece by piece."""

    def __init__(self, tree: nodes.Template, sandbox: Sandbox) -> None:
        self._cost = weight([tree])
        try:
            code = sandbox.compile(tree)
            self._template = sandbox.template_class.from_code(sandbox, code, {})
        except (SyntaxError, RecursionError, MemoryError, TemplateSyntaxError):
            raise Invalid(_("fields and conditions nest too deeply")) from None

    def chunks(self, values: dict[str, Any], meter: Meter) -> Iterator[str]:
        """The pieces in order: literal text and values in turn. ``values``: plain ones. Raises ``Invalid``."""
        meter.step(self._cost)
        context = self._template.new_context({**values, _METER: meter})
        try:
            for chunk in self._template.root_render_func(context):
                meter.wrote(len(chunk))
                yield chunk
        except Invalid:
            raise
        except Exception as error:  # whatever a template does with its values is the writer's fault, and told
            raise Invalid(_("a field cannot be worked out: %(reason)s"), reason=f"{type(error).__name__}: {error}"[:200]) from None
