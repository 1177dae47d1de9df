"""The commands of python -m minivit, a file per family.

A file registers its commands with `add_commands(subparsers)`: each parser gets `set_defaults(run=function)`, and
function(args) does the work and may return an exit code. What is heavy is imported inside that function, so that
`--help` answers at once. A new file in this folder is found by itself.
"""
