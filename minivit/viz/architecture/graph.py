"""What is drawn of a model: boxes, what flows between them, and how often each is repeated.

A block is a module that adds something to what it was given earlier, seen from outside: the outermost such module.
What holds blocks (a stage, a sequence) is dissolved into its parts, which are told to which section they belong.
"""

from .boxes import Box, Highlight, Link, Scope, distinct, with_any_number, without_number
from .folding import fold, fold_twins
from .trace import Call, Operation, Value

SYMBOLS = {"add": "+", "mul": "×", "sub": "−", "div": "÷"}
SHAPES_ONLY = {"reshape", "transpose", "swapaxes", "expand", "astype", "squeeze", "unsqueeze", "pad", "repeat"}


def graph(call: Call, level: int, highlight: Highlight, names: list[str]) -> Scope:
    """What is drawn of a model's call.

    Parameters
    ----------
    call : Call
    level : int
        0 leaves blocks closed, 1 opens them, each more opens one more floor of modules.
    highlight : Highlight
    names : list of str
        Of what the model is given.
    """
    highlight.includes_any(call)
    given = [value for value in _unique(call.inputs) if value.flows]
    ports = [Box("port", name) for name, _ in zip(names, given, strict=False)]
    builder = _Builder(highlight, dict(zip(map(id, given), ((port, 0) for port in ports), strict=False)), Scope(ports))
    builder.default = (ports[0], 0)
    builder.add_dissolved(call, level, "")
    scope = builder.finish(call)
    _close_known(scope, set())
    return scope


class _Builder:
    """Makes the boxes of one scope; `made` tells by which box, by which way out, each value was made."""

    def __init__(self, highlight, made, scope):
        self.highlight, self.made, self.scope, self.default = highlight, made, scope, None

    def finish(self, call):
        """The scope, with what it hands out, each row of equal boxes once."""
        ways, scope = {}, self.scope
        for value in call.outputs:
            source = self.made.get(id(value))
            if source and source[0].kind != "port":
                if source not in ways:
                    ways[source] = len(ways)
                    scope.outputs.append(Link(*source, value.shape))
                scope.ways_out[id(value)] = ways[source]
        _drop_unused(scope)
        fold_twins(scope)
        while fold(scope):
            pass
        return scope

    def add_dissolved(self, call, level, section, highlighted=False):
        """Boxes for the parts of the model, or of what holds blocks."""
        for step in call.steps:
            if isinstance(step, Operation):
                self.add_operation(step, call.name, section)
            elif not step.passes_on and self.flows(step):
                marked = highlighted or self.highlight.includes(step)
                if not step.is_residual and any(inner.is_residual for inner in step.calls()):
                    self.add_dissolved(step, level, step.name, marked)
                else:
                    self.add_module(step, call, level if step.is_residual else level - 1, section, marked)

    def add_inside(self, call, level):
        """Boxes for the parts of an opened module."""
        for step in call.steps:
            if isinstance(step, Operation):
                self.add_operation(step, call.name, "")
            elif not step.passes_on and self.flows(step):
                self.add_module(step, call, level, "", self.highlight.includes(step))

    def flows(self, step):
        """Whether what is given to a call depends on what the model was given, and is known here."""
        return any(value.flows for value in step.inputs + step.outputs)

    def add_module(self, call, parent, level, section, highlighted):
        """A box, or with levels left a frame with what is inside."""
        kind, values = type(call.module).__name__, [v for v in _unique(call.inputs) if v.flows]
        described = call.module.describe()
        box = Box("module", call.name.removeprefix(f"{parent.name}." if parent.name else ""),
                  f"{kind}({described})" if described else kind, section=section, highlighted=highlighted,
                  learned=bool(call.module.parameters()))
        for value in values:
            self.know(value, section)
        box.inside = self.opened(call, level, values) if level > 0 else None
        box.links = self.links(values)
        if box.inside is None:
            box.highlighted |= self.highlight.includes_any(call)
        else:
            used = {id(link.source) for inner in box.inside.boxes for link in inner.links}
            keep = [id(port) in used for port in box.inside.ports]
            box.links = [link for link, kept in zip(box.links, keep, strict=True) if kept]
            box.inside.ports = [port for port, kept in zip(box.inside.ports, keep, strict=True) if kept]
        shapes = tuple(value.shape for value in call.inputs + call.outputs)
        box.signature = ("module", with_any_number(box.title), kind, described, without_number(section), shapes,
                         highlighted, self.plan(call))
        self.add(box, call.outputs)

    def plan(self, call):
        """What happens inside a call, as far as it tells calls apart."""
        return tuple((type(step.module).__name__, step.module.describe(), self.highlight.includes(step),
                      self.plan(step)) if isinstance(step, Call) else
                     (step.name, tuple(value.shape for value in step.outputs)) for step in call.steps)

    def opened(self, call, level, values):
        """The scope inside a call, with a port for each link; None if it would show a single box, or lead nowhere."""
        ports = {(id(link.source), link.way_out): Box("port") for link in self.links(values)}
        made = {}
        for value in values:
            box, way = self.source(value)
            made[id(value)] = (ports[id(box), way], 0)
        builder = _Builder(self.highlight, made, Scope(list(ports.values())))
        builder.add_inside(call, level - 1)
        scope = builder.finish(call)
        used = {id(link.source) for box in scope.boxes for link in box.links}
        if len(scope.boxes) < 2 or not scope.outputs or not any(id(port) in used for port in scope.ports):
            return None
        return scope

    def know(self, value, section):
        """A box for what starts to flow without having been given."""
        if value.constant and id(value) not in self.made:
            box = Box("operation", value.constant, section=section, signature=(value.constant, value.shape))
            self.add(box, [value])

    def add_operation(self, operation, where, section):
        """A box, unless it only changes the shape, or counts with constants."""
        flowing = [v for v in _unique(operation.inputs) if v.flows and 0 not in v.shape]
        if not flowing:
            return
        learned = [_short(name, where) for v in operation.inputs for name in v.learned]
        taken = _taken(operation.arguments[1:]) if operation.name == "getitem" else ""
        if operation.name in SHAPES_ONLY or operation.name == "getitem" and not taken \
                or operation.name in {*SYMBOLS, "concatenate", "neg", "where"} and len(flowing) == 1 and not learned:
            self.made.setdefault(id(operation.outputs[0]), self.source(flowing[0]))
            return
        title = taken or SYMBOLS.get(operation.name, operation.name)
        if learned and operation.name in {*SYMBOLS, "concatenate"}:
            names = list(dict.fromkeys(learned))
            title += " " + ", ".join(names if len(names) < 3 else [names[0], "…"])
        links = self.links(flowing)
        kind = "symbol" if title in SYMBOLS.values() else "operation"
        if kind == "symbol" and len(links) == 1:
            title = f"{title} itself"
            kind = "operation"
        shapes = tuple(value.shape for value in flowing + operation.outputs)
        self.add(Box(kind, title.replace("_", " ") if kind == "operation" and not learned else title, links=links,
                     learned=bool(learned), section=section, highlighted=self.highlight.includes(operation),
                     signature=("operation", title, without_number(section), shapes)), operation.outputs)

    def add(self, box, outputs):
        """Take in a box that makes these values."""
        self.scope.boxes.append(box)
        ways = box.inside.ways_out if box.inside else {}
        for value in outputs:
            self.made.setdefault(id(value), (box, ways.get(id(value), 0)))

    def source(self, value):
        """(box, way out) that made a value."""
        return self.made.get(id(value), self.default)

    def links(self, values):
        """A link for each box that these values come from."""
        sources = [(self.source(value), value.shape) for value in values]
        return distinct([Link(*source, shape) for source, shape in sources if source])


def _unique(values) -> list[Value]:
    return list({id(value): value for value in values}.values())


def _short(name, where):
    """What a parameter is called in a module: "positions" for "positions", and for "positions.linear.weight"."""
    own, _, last = name.rpartition(".")
    return own.removeprefix(f"{where}.").partition(".")[0] if last in ("weight", "bias") and own else last


def _drop_unused(scope):
    """Leave out operations whose value nothing uses: a class token that is read from the last stage alone."""
    used = {id(link.source) for link in scope.outputs}
    for box in reversed(scope.boxes[:]):
        if box.kind == "module" or id(box) in used:
            used |= {id(link.source) for link in box.links}
        else:
            scope.boxes.remove(box)


def _close_known(scope, known):
    """Leave each design of a block open where it is first seen: it is the same in later stages but for its sizes."""
    closed = set()
    for box in scope.boxes:
        if box.inside and not box.title:
            _close_known(box.inside, known)
            continue
        design = (box.detail.partition("(")[0], box.highlighted, box.inside and box.inside.design)
        if box.inside and design in known:
            box.highlighted |= any(inner.highlighted for inner in box.inside.every_box())
            box.inside, box.links = None, distinct(box.links)
            closed.add(box)
        known.add(design)
    for link in [link for box in scope.boxes for link in box.links] + scope.outputs:
        if link.source in closed:
            link.way_out = 0
    for box in scope.boxes:
        if not box.inside:
            box.links = distinct(box.links)


def _taken(indices):
    """The indices that take one of an axis, not the first, in words: "[:, 0]"; "" for others."""
    if len(indices) == 1 and isinstance(indices[0], tuple):
        indices = indices[0]
    if not all(isinstance(index, int) or isinstance(index, slice) and index == slice(None) for index in indices):
        return ""
    if not any(isinstance(index, int) for index in indices[1:]) or isinstance(indices[0], int):
        return ""
    return f"[{', '.join(str(index) if isinstance(index, int) else ':' for index in indices)}]"
