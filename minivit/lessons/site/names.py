"""A name in a docstring means what its module means by it: there are several classes Verdict, Encoder, Block."""

from contextlib import suppress
from importlib import import_module

from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform


def full_name(name, module):
    """"Verdict" in minivit.lessons.outcome -> "minivit.lessons.verdict.Verdict"; None for what the module has not."""
    with suppress(ImportError, AttributeError):  # a module for GPUs; a name that is a value
        meant = getattr(import_module(module), name)
        return f"{meant.__module__}.{meant.__qualname__}"
    return None


class Names(SphinxPostTransform):
    """Give every name that leads into the reference its whole name, where the reference has it."""

    default_priority = 5  # before Sphinx looks for them

    def run(self, **kwargs):
        """Change the document."""
        known = self.env.domains.python_domain.objects
        for link in self.document.findall(addnodes.pending_xref):
            module = link.get("py:module")
            if link.get("refdomain") == "py" and module:
                name = full_name(link["reftarget"], module)
                if name in known:
                    link["reftarget"] = name


def setup(app):
    """Called by Sphinx."""
    app.add_post_transform(Names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
