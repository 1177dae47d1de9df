"""python -m minivit demo: live demos for the lecture hall."""


def add_commands(subparsers):
    """Register the command."""
    parser = subparsers.add_parser(
        "demo", help="write and open a live demo, or list them",
        description="Write a live demo into one HTML file, which needs no network and no Python, and open it in the "
                    "browser. Without a name, list them.")
    parser.add_argument("name", metavar="NAME", nargs="?", help="as `python -m minivit demo` lists them")
    parser.add_argument("--out", metavar="FILE", help="the file (default: NAME.html in this folder)")
    parser.add_argument("--no-open", action="store_true", help="write it only")
    parser.set_defaults(run=demo)


def demo(args):
    """Write and open one demo, or list all."""
    from .. import demos
    from .lessons import needs
    if not args.name:
        if args.out or args.no_open:
            raise ValueError("--out and --no-open belong to the name of a demo")
        for name in demos.list_demos():
            print(f"{name:<14}{demos.find_demo(name).TITLE}")
        return
    needs("jinja2", "writing a demo")
    path = demos.write(args.name, args.out or f"{args.name}.html").resolve()
    print(f"written: {path}")
    if not args.no_open:
        import webbrowser
        webbrowser.open(path.as_uri())
