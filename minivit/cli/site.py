"""python -m minivit site: the course as a website."""

DEFAULT = "build/site"


def add_commands(subparsers):
    """Register the command."""
    parser = subparsers.add_parser(
        "site", help="build the course as a website",
        description="Build the course as a website that needs no network: lessons with their stored outputs, demos, "
                    "results, the teachers' pages and the reference. What has not changed is not built again.")
    parser.add_argument("--out", metavar="FOLDER", default=DEFAULT, help=f"where (default {DEFAULT})")
    parser.add_argument("--open", action="store_true", dest="show", help="open it in the browser")
    parser.set_defaults(run=site)


def site(args):
    """The command `site`."""
    import webbrowser

    from .. import demos
    from ..lessons.site import build
    from .lessons import needs
    needs("jinja2", "building the site")
    page = build(args.out, {name: demos.find_demo(name) for name in demos.list_demos()}, demos.page)
    print(f"written: {page}")
    if args.show:
        webbrowser.open(page.resolve().as_uri())
