"""What an answer may not use, and what a teacher may want to look at, found in its syntax tree.

IPython's own lines (%time, np?, !ls) are turned into Python first, as a notebook does it. Names count where they are
the library's: a student's own variable may be called as one pleases. What is put together while the answer runs cannot
be seen here; nothing but NumPy's own functions could be reached that way.
"""

import ast
import functools
import re
import sys

NOTEBOOK_TOOLS = {"numpy", "matplotlib", "mpl_toolkits", "IPython"}  # what may be imported besides Python's own modules
MAGICS = {"time", "timeit", "prun", "matplotlib", "config", "precision", "load_ext", "reload_ext", "autoreload",
          "pinfo", "pinfo2", "psearch", "who", "whos", "capture"}
SUSPICIOUS = {"os", "sys", "subprocess", "socket", "ctypes", "_ctypes", "importlib", "builtins", "IPython", "inspect",
              "gc", "threading", "_thread", "multiprocessing", "signal", "shutil", "pathlib", "urllib", "http", "pty",
              "mmap", "fcntl", "resource", "pickle", "marshal", "code", "runpy", "eval", "exec", "compile",
              "__import__", "open", "globals", "locals", "getattr", "vars", "get_ipython", "display", "__builtins__",
              "__loader__"}
NO_FILES = "; where answers are graded there is none of your files"
SUSPICIOUS_ATTRIBUTES = {"__globals__", "__code__", "__subclasses__", "__builtins__", "__dict__", "f_back", "f_globals",
                         "ctypeslib", "memmap"}
RUN_CODE, OPTIONS = {"time", "timeit", "prun", "capture"}, re.compile(r"^(\s*-\w+\s*\d*)+")
CELL_MAGIC = re.compile(r"%%(\w+)[^\n]*\n?")
NOTEBOOK_LINE = re.compile(r"^\s*[%!?,;/]|\?\s*$|=\s*[%!]", re.MULTILINE)
NOTEBOOK_LINES = 50  # more are left as they are: IPython walks through the whole cell for each
SMALL = 0.05  # a step of a numeric difference


def to_python(source):
    """A cell as Python: its magics as calls, a %% line in front as a % line; the source itself where that fails."""
    try:
        ast.parse(source)
        return source
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    cell_magic = CELL_MAGIC.match(source.lstrip())
    if cell_magic:
        source = f"%{cell_magic[1]}\n{source.lstrip()[cell_magic.end():]}"
    if len(NOTEBOOK_LINE.findall(source)) > NOTEBOOK_LINES:
        return source
    try:
        return _transformer().transform_cell(source)
    except Exception:  # whatever it is, Python will say so
        return source


@functools.cache
def _transformer():
    from IPython.core.inputtransformer2 import TransformerManager
    return TransformerManager()


def tree_of(source):
    """The syntax tree of a cell, None if it has none."""
    try:
        return ast.parse(to_python(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def definitions(tree):
    """The names that a cell defines: functions, classes, imports, values."""
    names = set()
    for node in tree.body if tree else ():
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        else:
            names.update(part.id for part in ast.walk(node)
                         if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))
    return names


def names_read(tree):
    """The names that a cell reads."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} if tree else set()


def examine(source, forbid=(), given="", formula=False):
    """(reasons not to count an answer, what a teacher may want to look at): lists of sentences.

    forbid: names of the library that are not to be used; given: the cells before it, for what they import; formula:
    whether a numeric difference is remarked.
    """
    tree = tree_of(source)
    if tree is None:
        return [], []
    try:
        return _examine(tree, forbid, tree_of(given), formula)
    except RecursionError:
        return [], ["nested too deeply to be looked at"]


def _examine(tree, forbid, given, formula):
    _open_magics(tree)
    refused, remarked, excused = {}, {}, set()  # excused: get_ipython where a magic stands
    own = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))} | {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)} | {
        node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    origins = _origins(tree, _origins(given, {}))
    if "numpy.*" in origins.values():
        origins = {name: f"numpy.{name}" for name in {*forbid} - own} | origins
    for node in ast.walk(tree):
        at = f"line {getattr(node, 'lineno', 0)}"
        for module in _imported(node):
            top = module.partition(".")[0]
            if top not in NOTEBOOK_TOOLS | sys.stdlib_module_names and module != "minivit.grading.show":
                refused.setdefault(top, f"{at}: imports {module}; answers have NumPy, matplotlib and Python's own "
                                        "modules")
        tool = _tool(node)
        if tool and tool not in MAGICS:
            refused.setdefault(tool, f"{at}: uses {tool}; of a notebook's tools, answers may use "
                                     f"{', '.join('%' + magic for magic in sorted(MAGICS)[:6])} and the like")
        path = _path(node, origins)
        if path and path.partition(".")[0] in ("numpy", "math", "matplotlib") and path.rpartition(".")[2] in forbid:
            refused.setdefault(path, f"{at}: uses {path}, which is what you are to build")
        if tool:
            excused.add(node.func.value.func)
        for name in _odd(node, own) if node not in excused else ():
            remarked.setdefault(name, f"{at}: uses {name}{NO_FILES if name in ('open', 'memmap') else ''}")
    if formula and _differences(tree):
        remarked.setdefault("difference", "divides by a small step, or visits every entry: is it a numeric difference?")
    return list(refused.values()), list(remarked.values())


def _open_magics(tree):
    """Add the code behind %time and the like, which IPython hands over as a text, to the cell's own."""
    pending = [*tree.body]
    while pending:
        for node in ast.walk(pending.pop()):
            if _tool(node) in RUN_CODE and len(node.args) > 1 and isinstance(node.args[-1], ast.Constant):
                code = tree_of(OPTIONS.sub("", str(node.args[-1].value)))
                tree.body += code.body if code else []
                pending += code.body if code else []


def _origins(tree, known):
    """{name: what it stands for} of imports, and of plain assignments from them: np is numpy, f is numpy.interp."""
    found = dict(known)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = alias.name if alias.asname else \
                    alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            found.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Name, ast.Attribute)):
            path = _path(node.value, found)
            found.update({target.id: path for target in node.targets if path and isinstance(target, ast.Name)})
    return found


def _path(node, origins):
    """What a name or an attribute stands for, as "numpy.interp"; "" where it is no library's."""
    if isinstance(node, ast.Name):
        return origins.get(node.id, "") if isinstance(node.ctx, ast.Load) else ""
    if isinstance(node, ast.Attribute):
        before = _path(node.value, origins)
        return f"{before}.{node.attr}" if before else ""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "vars") and node.args:
        before = _path(node.args[0], origins)
        name = node.args[1].value if len(node.args) > 1 and isinstance(node.args[1], ast.Constant) else ""
        return f"{before}.{name}" if before and name else before if len(node.args) == 1 else ""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):  # np.__dict__["interp"]
        before = _path(node.value, origins).removesuffix(".__dict__")
        return f"{before}.{node.slice.value}" if before else ""
    return ""


def _imported(node):
    """The modules that a node imports, also by a call with a plain text."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{'.' * node.level}{node.module or ''}"]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant) and \
            isinstance(node.args[0].value, str) and ast.unparse(node.func).endswith(("__import__", "import_module")):
        return [node.args[0].value]
    return []


def _tool(node):
    """The magic, or "a shell command", that a call of get_ipython() stands for."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and
            isinstance(node.func.value, ast.Call) and ast.unparse(node.func.value) == "get_ipython()"):
        return ""
    if node.func.attr in ("system", "getoutput", "getoutput_as_slist", "system_raw"):
        return "a shell command"
    if node.func.attr in ("run_line_magic", "run_cell_magic", "magic") and node.args and \
            isinstance(node.args[0], ast.Constant):
        return f"{node.args[0].value}".partition(" ")[0]
    return ""


def _odd(node, own):
    """The suspicious names that a node uses."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [name for name in (module.partition(".")[0] for module in _imported(node)) if name in SUSPICIOUS]
    if isinstance(node, ast.Attribute):
        return [node.attr] if node.attr in SUSPICIOUS_ATTRIBUTES else []
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        return [node.id] if node.id in SUSPICIOUS - own else []
    return []


def _differences(tree):
    """Whether a cell looks like (f(x + h) - f(x - h)) / (2 h), or goes through an array entry by entry with a step."""
    small = {target.id for node in ast.walk(tree) if isinstance(node, ast.Assign) and _small(node.value)
             for target in node.targets if isinstance(target, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.arguments):
            names = [*node.posonlyargs, *node.args][-len(node.defaults):] if node.defaults else []
            pairs = [*zip(names, node.defaults, strict=False), *zip(node.kwonlyargs, node.kw_defaults, strict=True)]
            small |= {name.arg for name, value in pairs if value is not None and _small(value)}
    return any(isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and _step(node.right, small) or
               isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div) and _step(node.value, small) or
               isinstance(node, ast.Attribute) and node.attr == "imag" for node in ast.walk(tree))


def _small(node):
    """Whether an expression is a small positive number, such as 1e-5, 1 / 1000 or 10 ** -3."""
    try:
        return 0 < _number(node) < SMALL
    except (ArithmeticError, ValueError, TypeError):
        return False


def _number(node):
    """The value of an expression of plain numbers; a ValueError if it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div, ast.Pow)):
        left, right = _number(node.left), _number(node.right)
        return left * right if isinstance(node.op, ast.Mult) else left / right if isinstance(node.op, ast.Div) else \
            left ** right
    raise ValueError("not a number")


def _step(node, small):
    """Whether a divisor is a small step or a multiple of one."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _step(node.left, small) or _step(node.right, small)
    return isinstance(node, ast.Name) and node.id in small or _small(node)
