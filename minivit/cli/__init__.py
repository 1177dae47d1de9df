"""The commands of python -m minivit, a file per family.

A file registers its commands with `add_commands(subparsers)`: each parser gets `set_defaults(run=function)`, and
function(args) does the work and may return an exit code. What is heavy is imported inside that function, so that
`--help` answers at once. A new file in this folder is found by itself.
"""


def describe(error):
    """An exception in words."""
    if isinstance(error, MemoryError):
        return f"out of memory; a smaller --batch-size or model needs less ({error})"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__
