"""The documents of the repository, grouped as a reader looks for them. A new file in docs/ finds its own place."""

from .paths import toctree, with_links

GROUPS = {  # title: patterns, the first of which says where a page belongs
    "Words and letters": ("lessons/NOTATION.md", "lessons/GLOSSARY.md"),
    "Results": ("docs/claims.md", "docs/zoo.md", "docs/tasks.md", "docs/counts.md", "docs/parity.md",
                "benchmarks/README.md"),
    "Teaching": ("docs/teachers.md", "docs/slides.md", "docs/teaching/**/*.md"),
    "The code": ("README.md", "docs/coming_from_pytorch.md", "CONTRIBUTING.md", "docs/**/*.md"),
}


def document_pages(root):
    """The pages, and how they are grouped.

    Returns
    -------
    {str: bytes or str}, {str: [str]}
        Contents by path; for each group the pages that the contents list, without endings.
    """
    files, groups, placed = {}, {}, set()
    for title, patterns in GROUPS.items():
        found = [path.relative_to(root).as_posix() for pattern in patterns for path in sorted(root.glob(pattern))]
        pages = [page for page in dict.fromkeys(found) if page not in placed]
        placed |= set(pages)
        folders = {}
        for page in pages:
            text, copies = with_links((root / page).read_text(encoding="utf-8"), page, root)
            files |= {page: text} | copies
            folder = page.rpartition("/")[0]
            folders.setdefault(folder if folder.count("/") else page, []).append(page)
        for folder, inside in folders.items():
            if folder not in inside:
                files[f"{folder}/index.md"] = folder_page(folder, inside)
        if folders:
            groups[title] = [folder.removesuffix(".md") if folder in inside else f"{folder}/index"
                             for folder, inside in folders.items()]
    return files, groups


def folder_page(folder, pages):
    """The list of a folder's pages: "docs/decisions" -> Decisions."""
    names = [page.removeprefix(f"{folder}/").removesuffix(".md") for page in pages]
    links = "\n".join(f"- [](<{name}.md>)" for name in names)
    return f"# {folder.rpartition('/')[2].capitalize()}\n\n{links}\n" + toctree(names)
