"""What is drawn, in words: the text that stands for the picture where it is not seen."""

from .boxes import Box, Scope
from .sheet import shape_text


def in_words(scope: Scope, section: str = "") -> str:
    """What happens in a scope, in its order: a sentence for each section, and in brackets what is inside a box."""
    names = {port: port.title or ("the input" if len(scope.ports) == 1 else f"input {number}")
             for number, port in enumerate(scope.ports, 1)}
    sentences: list[str] = []
    before = None
    for box in scope.boxes:
        names[box] = "the sum" if box.title == "+" else box.title or "the group"
        told = _told(box, names, before)
        if box.section != section:
            sentences.append(f"In {box.section}: {told}" if box.section else told)
        elif not sentences:
            sentences.append(told)
        else:
            sentences[-1] += f", then {told}"
        section, before = box.section, box
    made = " and ".join(shape_text(link.shape) + " for the next" * link.to_next for link in scope.outputs)
    return f"{'. '.join(sentences)}, which makes {made}"


def _told(box: Box, names: dict[Box, str], before: Box | None) -> str:
    """A box with its number, what it is given unless that is just what the one before made, and what is inside."""
    told = f"{box.count} times " if box.count > 1 else ""
    told += "plus" if box.title == "+" else box.title or "a group"
    if box.detail:
        told += f" ({box.detail})"
    given = [names[link.source] + _shape(link, before) for link in box.links
             if len(box.links) > 1 or link.source is not before]
    if given:
        told += f" of {' and '.join(given)}"
    elif box.links:
        told += _shape(box.links[0], before).replace(" (", " on (")
    if box.highlighted:
        told += ", highlighted"
    return told + (f", inside of which [{in_words(box.inside, box.section)}]" if box.inside else "")


def _shape(link, before):
    """" (B, 64, 128)" where the shape has changed since the box before."""
    same = before is not None and any(link.shape == other.shape for other in before.links)
    return "" if same else f" {shape_text(link.shape)}"
