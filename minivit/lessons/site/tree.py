"""A folder that is to hold just these files."""


def write_tree(folder, files):
    """Write what is new or different, and remove what is not among the files: what stays the same keeps its time, by
    which Sphinx knows that a page need not be read again.

    Parameters
    ----------
    folder : Path
    files : {str: bytes or str}
        Contents by path below the folder, with forward slashes.
    """
    wanted = {folder / name: content.encode() if isinstance(content, str) else content
              for name, content in files.items()}
    for path in [path for path in folder.rglob("*") if path.is_file() and path not in wanted]:
        path.unlink()
    for path, content in wanted.items():
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
