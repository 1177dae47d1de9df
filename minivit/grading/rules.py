"""What an answer may not use, found in its syntax tree. The sandbox holds only NumPy; these rules say so beforehand."""

import ast

FORBIDDEN = {"minivit", "torch", "torchvision", "scipy", "einops", "jax", "tensorflow", "keras", "sklearn", "skimage",
             "cv2", "timm", "transformers", "cupy", "autograd", "sympy", "numba"}
SUSPICIOUS = {"os", "sys", "subprocess", "socket", "ctypes", "importlib", "builtins", "IPython", "inspect", "gc",
              "threading", "multiprocessing", "signal", "shutil", "pathlib", "urllib", "requests", "zmq", "ipykernel",
              "eval", "exec", "compile", "__import__", "open", "globals", "getattr", "vars", "get_ipython", "display"}


def examine(source, forbid=()):
    """(reasons not to count an answer, what a teacher may want to look at), both lists of sentences."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [], []  # whatever it is, Python will say so
    refused, remarked = {}, {}
    for node in ast.walk(tree):
        for name in _names(node):
            line = getattr(node, "lineno", 0)
            if name.split(".")[0] in FORBIDDEN and isinstance(node, (ast.Import, ast.ImportFrom)):
                refused.setdefault(name, f"line {line}: imports {name}; this exercise is to be solved in plain NumPy")
            elif name.split(".")[-1] in forbid:
                refused.setdefault(name, f"line {line}: uses {name}, which is what you are to build")
            elif name.split(".")[0] in SUSPICIOUS:
                remarked.setdefault(name, f"line {line}: uses {name}")
    return list(refused.values()), list(remarked.values())


def _names(node):
    """The names that a node of the tree speaks of."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module or ''}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Attribute):
        return [ast.unparse(node) if isinstance(node.value, ast.Name) else node.attr]
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        return [node.id]
    return []
