"""python -m minivit slides: a lesson shown to a class."""


def add_commands(subparsers):
    """Register the command."""
    slides = subparsers.add_parser(
        "slides", help="write a lesson as slides",
        description="Write a lesson as slides for the lecture hall: one HTML file that needs no network. The two "
                    "libraries in it, reveal.js and MathJax, are fetched the first time. Space and arrows go on, S "
                    "opens the speaker's view with the notes, D makes it dark, Esc shows all slides.")
    slides.add_argument("lesson", metavar="LESSON", help="a number such as 17, a name such as swin, or a notebook")
    slides.add_argument("--out", metavar="FILE", help="the file (default: NN_name.slides.html or .pdf in this folder)")
    slides.add_argument("--pdf", action="store_true", help="a handout instead, a slide on each page (needs Chromium)")
    slides.set_defaults(run=write_slides)


def write_slides(args):
    """The command `slides`."""
    from pathlib import Path

    from ..lessons.course import locate
    from .lessons import needs
    path = locate(args.lesson)
    needs("nbconvert", "writing slides")
    from ..files import write_atomically
    from ..lessons.assets import assets
    from ..lessons.slides import slides
    html = slides(path, assets(), live_demo)
    if args.pdf:
        from ..lessons.handout import handout
        out = Path(args.out or f"{path.stem}.slides.pdf")
        write_atomically(out, handout(html))
        print(f"{out}: a slide on each page")
    else:
        out = Path(args.out or f"{path.stem}.slides.html")
        write_atomically(out, html)
        print(f"{out}: open it in a browser; space and arrows go on, S opens the speaker's view, Esc shows all slides")


def live_demo(name):
    """The HTML text of a demo, or None where there is no such demo."""
    from .. import demos
    return demos.page(name) if name in demos.list_demos() else None
