"""Where in a template a value stands, and what is done to it there before anybody reads it.

The template is walked in the order it is written; what stands before a value tells whether it is inside an address, at the
beginning of one, or in a style. Lists, loops and joined texts are put under the sandbox's own bounds on the way.
"""

from __future__ import annotations

import re

from jinja2 import nodes

from colporteur.mail.campaigns.sandbox import weight

_BEFORE = 4000
"""Characters before a value that are looked at: more than an address has."""
_VALUE = "\0"
_IN_ATTRIBUTE = re.compile(r"(?is)\b(href|src|background|action|cite|poster|srcset|longdesc|style)\s*=\s*(?:\"([^\"]*)|'([^']*)|([^\s\"'<>]*))\Z")
_STYLE_ELEMENT = re.compile(r"(?is)<style\b[^>]*>(?:(?!</style).)*\Z")
_IN_TEXT = re.compile(r"(?i)(?:https?://|mailto:)[^\s<>\"']*\Z")
_ADDRESSES = frozenset({"url_unsubscribe", "url_preferences", "url_web"})
_CALLED = frozenset({"name", "first_name"})


def places(tree: nodes.Template, *, html: bool) -> frozenset[str]:
    """Change the template in place; its literal texts."""
    literals: set[str] = set()
    _Walk(html, literals).block(tree.body)
    return frozenset(literals)


class _Walk:
    def __init__(self, html: bool, literals: set[str]) -> None:
        self._html, self._literals, self._tail = html, literals, ""

    def block(self, body: list[nodes.Node]) -> None:
        for node in body:
            if isinstance(node, nodes.Output):
                self._output(node)
            elif isinstance(node, nodes.If):
                node.test = _bounded(node.test)
                self.block(node.body)
                for branch in node.elif_:
                    branch.test = _bounded(branch.test)
                    self.block(branch.body)
                self.block(node.else_)
            elif isinstance(node, nodes.For):
                self._loop(node)
            elif isinstance(node, nodes.Assign):
                node.node = _bounded(node.node)

    def _loop(self, node: nodes.For) -> None:
        self.block(node.body)
        self.block(node.else_)
        if node.test is not None:
            node.test = _bounded(node.test)
        steps = weight([*node.body, *([node.test] if node.test else [])])
        node.iter = _filter(_bounded(node.iter), "_counted", nodes.Const(1 + steps))

    def _output(self, node: nodes.Output) -> None:
        for number, child in enumerate(node.nodes):
            if isinstance(child, nodes.TemplateData):
                self._literals.add(child.data)
                self._tail = (self._tail + child.data)[-_BEFORE:]
            else:
                node.nodes[number] = self._placed(_called(_bounded(child)))
                self._tail += _VALUE

    def _placed(self, value: nodes.Expr) -> nodes.Expr:
        if not self._html:
            return _filter(value, "_in_address") if _IN_TEXT.search(self._tail) else value
        tag = self._tail.rpartition("<")[2]
        found = _IN_ATTRIBUTE.search(tag) if "<" in self._tail else None
        if found is None:
            return _filter(value, "_in_style") if _STYLE_ELEMENT.search(self._tail) else value
        if found[1].lower() == "style":
            return _filter(value, "_in_style")
        if (found[2] or found[3] or found[4] or "").strip():
            return _filter(value, "_in_address")
        return value if isinstance(value, nodes.Name) and value.name in _ADDRESSES else _filter(value, "_as_address")


def _filter(value: nodes.Expr, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(value, name, list(arguments), [], None, None, lineno=value.lineno)


def _bounded(node: nodes.Node) -> nodes.Expr:
    """An expression whose lists and joined texts have bounds."""
    assert isinstance(node, nodes.Expr)
    for name, value in list(node.iter_fields()):
        if isinstance(value, nodes.Expr):
            setattr(node, name, _bounded(value))
        elif isinstance(value, list):
            setattr(node, name, [_bounded(one) if isinstance(one, nodes.Expr) else _operand(one) for one in value])
    if isinstance(node, nodes.Compare):
        return _compared(node)
    if isinstance(node, nodes.Concat):
        return _filter(nodes.List(node.nodes, lineno=node.lineno), "_concatenated")
    if isinstance(node, nodes.List | nodes.Tuple):
        return _filter(node, "_items")
    return node


def _compared(node: nodes.Compare) -> nodes.Expr:
    """Comparisons that know what an empty value is; ``a < b < c`` is two of them."""
    left = node.expr
    found: nodes.Expr | None = None
    for operand in node.ops:
        one = _filter(left, "_compared", nodes.Const(operand.op), operand.expr)
        found = nodes.And(found, one) if found else one
        left = operand.expr
    return found or left


def _operand(one: object) -> object:
    if isinstance(one, nodes.Operand):
        one.expr = _bounded(one.expr)
    return one


def _called(node: nodes.Expr) -> nodes.Expr:
    """A name nobody knows reads as the address, unless the writer says what to read instead."""
    chain, inner = [], node
    while isinstance(inner, nodes.Filter) and inner.node is not None:
        chain.append(inner)
        inner = inner.node
    if isinstance(inner, nodes.Name) and inner.name in _CALLED and not any(one.name in ("default", "d") for one in chain):
        called = _filter(inner, "default", nodes.Name("email", "load", lineno=inner.lineno))
        if not chain:
            return called
        chain[-1].node = called
    return node
