"""The live demos: each on a page of its own, and in the lessons whose slides show it."""

from .paths import toctree

FRAME = """<iframe class="demo" src="{path}" title="{title}" loading="lazy"></iframe>
<p class="demo-link"><a href="{path}">This demo alone</a></p>
"""
THEME = """<script>
addEventListener("message", ({data}) => {
    if (["light", "dark"].includes(data)) document.documentElement.className = data;
});
</script>
</body>"""  # site.js says which


def demo_pages(demos, page):
    """The pages and the demos' own files.

    Parameters
    ----------
    demos : {str: module}
        By name.
    page : function
        page(name) is the HTML text of a demo.

    Returns
    -------
    {str: str}
        Nothing where there are no demos.
    """
    if not demos:
        return {}
    files = {f"extra/{live(name)}": page(name).replace("</body>", THEME) for name in demos}
    for name in demos:
        files[f"demos/{name}.md"] = f"# {name.capitalize()}\n\n" + frame(name, demos, "../")
    lines = "\n".join(f"- [{name.capitalize()}]({name}.md): {demo.TITLE}" for name, demo in demos.items())
    files["demos/index.md"] = ("# Live demos\n\nEach is one file that needs neither a network nor Python; `python -m "
                               f"minivit demo NAME` writes it.\n\n{lines}\n{toctree(demos)}")
    return files


def frame(name, demos, top):
    """The HTML that shows a demo in a page from which `top` leads to the first page."""
    return FRAME.format(path=top + live(name), title=f"demo {name}: {demos[name].TITLE}")


def live(name):
    """Where a demo's own file is in the site."""
    return f"demos/live/{name}.html"
