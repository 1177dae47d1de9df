"""Wrong answers made by machine, from the syntax tree of a right one: one small slip each."""

import ast
import copy


def mutants(source):
    """{what was changed, and where: source with this one change}."""
    tree = ast.parse(source)
    found = {}
    for index, node in enumerate(ast.walk(tree)):
        for name, change in slips(node):
            changed = copy.deepcopy(tree)
            target = next(other for i, other in enumerate(ast.walk(changed)) if i == index)
            replace(changed, target, change(target))
            found[f"{name}, line {node.lineno}.{node.col_offset}"] = ast.unparse(ast.fix_missing_locations(changed))
    return found


def slips(node):
    """(name, function from the node to what stands in its place) of every slip that fits a node."""
    if isinstance(node, ast.BinOp):
        yield from of_operator(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and axis(node) is None:
        yield "sign", lambda node: node.operand
    if isinstance(node, ast.keyword) and node.arg == "axis":
        yield from of_axis(node)
    if isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Tuple):
        yield "transposed result", lambda node: ast.Return(ast.parse(
            f"np.swapaxes({ast.unparse(node.value)}, -1, -2)", mode="eval").body)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in ("transpose", "swapaxes"):
            yield "no transpose", lambda node: node.func.value
        if node.func.attr == "sqrt":
            yield "no root", lambda node: node.args[0]
        if node.func.attr in ("sum", "mean"):
            yield "sum and mean", lambda node: ast.Call(
                ast.Attribute(node.func.value, {"sum": "mean", "mean": "sum"}[node.func.attr], ast.Load()),
                node.args, node.keywords)
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield "no transpose", lambda node: node.value


def of_axis(node):
    """The slips that fit an argument axis=..."""
    if axis(node.value) is not None:
        yield "axis", lambda node: ast.keyword("axis", ast.Constant(0 if axis(node.value) else -1))
    elif isinstance(node.value, ast.Tuple):
        yield "axis forgotten", lambda node: ast.keyword("axis", ast.Tuple(node.value.elts[1:], ast.Load()))


def of_operator(node):
    """The slips that fit an operator between two expressions."""
    if isinstance(node.op, (ast.Add, ast.Sub)):
        other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        yield "sign", lambda node: ast.BinOp(node.left, other, node.right)
    if isinstance(node.op, ast.Sub) and "max" in ast.unparse(node.right):
        yield "no maximum", lambda node: node.left
    if isinstance(node.op, ast.Div):
        yield "no scale", lambda node: node.left
    if isinstance(node.op, ast.Mult):
        yield "no factor", lambda node: node.left
        yield "no factor before", lambda node: node.right
    if isinstance(node.op, ast.MatMult):
        yield "product the other way", lambda node: ast.BinOp(node.right, node.op, node.left)


def axis(node):
    """The axis that an expression names, None if it is not a plain number."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return value if isinstance(value, int) else None


def replace(tree, target, other):
    """Put `other` where `target` stands."""
    for node in ast.walk(tree):
        for field, value in ast.iter_fields(node):
            if value is target:
                setattr(node, field, other)
            elif isinstance(value, list) and any(item is target for item in value):
                value[[item is target for item in value].index(True)] = other
