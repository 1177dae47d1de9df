"""Rows of equal boxes, each drawn once with its count."""

import re

from .boxes import Box, Link, Scope, distinct, with_any_number, without_number

LONGEST_PERIOD = 6  # boxes that are repeated together


def fold_twins(scope: Scope) -> None:
    """Draw boxes once that are given the same and whose names differ in a number alone, as a part of each block."""
    for box in scope.boxes[:]:
        for other in scope.boxes[:scope.boxes.index(box)]:
            if re.search(r"\.\d+\.", box.title) and other.signature == box.signature and _given(other) == _given(box):
                other.title, other.count = with_any_number(box.title), other.count + 1
                scope.boxes.remove(box)
                for link in [link for user in scope.boxes for link in user.links] + scope.outputs:
                    link.source = other if link.source is box else link.source
                break


def _given(box):
    return [(id(link.source), link.way_out) for link in box.links]


def fold(scope: Scope) -> bool:
    """Draw the first row of equal boxes once; whether there was one."""
    boxes = scope.boxes
    for start in range(len(boxes)):
        for period in range(1, min(LONGEST_PERIOD, (len(boxes) - start) // 2) + 1):
            count = _times(boxes, start, period)
            while count > 1 and _used_early(scope, start, start + period * count, period):
                count -= 1
            if count > 1:
                _replace(scope, start, period, count)
                return True
    return False


def _times(boxes, start, period):
    """How often `period` boxes from `start` on stand in a row, each time fed by the time before."""
    if not any(box.kind == "module" for box in boxes[start:start + period]) \
            or any(box.count > 1 for box in boxes[start:start + period]) and period == 1:
        return 1
    places = {id(box): place for place, box in enumerate(boxes)}

    def wiring(place, turn):
        links, first = [], start + turn * period
        for link in boxes[place].links:
            origin = places.get(id(link.source), -1)
            links.append(("own", place - origin) if origin >= first else
                         ("before", place - origin) if origin >= first - period else ("outside", id(link.source)))
        return links

    count = 1
    while start + (count + 1) * period <= len(boxes):
        here = range(start + count * period, start + (count + 1) * period)
        if any(boxes[place].signature != boxes[place - period].signature or
               boxes[place].count != boxes[place - period].count for place in here):
            break
        wires = [wiring(place, count) for place in here]
        if not any(kind == "before" for wire in wires for kind, _ in wire):
            break
        earlier = [wiring(place - period, count - 1) for place in here]
        if count == 1:  # the first time is fed from elsewhere: only what stays inside can be compared
            wires, earlier = ([[link if link[0] == "own" else "in" for link in wire] for wire in one]
                              for one in (wires, earlier))
        if wires != earlier:
            break
        count += 1
    return count


def _used_early(scope, start, end, period):
    """Whether something behind a row of boxes uses what others than the last of them have made."""
    early = {id(box) for box in scope.boxes[start:end - period]}
    return any(id(link.source) in early for link in
               [link for box in scope.boxes[end:] for link in box.links] + scope.outputs)


def _replace(scope, start, period, count):
    """Put one box, or a frame around several, in the place of a row, and lead to it what led to the row."""
    row = scope.boxes[start:start + period * count]
    place = {id(box): index % period for index, box in enumerate(row)}
    if period == 1:
        whole = row[0]
        whole.count = count
        whole.title = without_number(whole.title)
        ways = {}
    else:
        whole, ways = _framed(scope, row, period, count, place)
    scope.boxes[start:start + period * count] = [whole]
    for box in scope.boxes:
        if box is not whole:
            links = _redirected(box.links, place, whole, ways)
            box.links = links if box.inside else distinct(links)  # a frame has a port for each of its links
    scope.outputs = _redirected(scope.outputs, place, whole, ways)


def _redirected(links, place, whole, ways):
    """Links, those that came from a row of boxes from what stands in its place."""
    found = []
    for link in links:
        if id(link.source) in place:
            way = ways.get((place[id(link.source)], link.way_out), 0) if ways else link.way_out
            link = Link(whole, way, link.shape, link.to_next)
        found.append(link)
    return found


def _framed(scope, row, period, count, place):
    """A frame around the first of several equal groups of boxes, and {(box, its way out): way out of the frame}."""
    group, ports, links = row[:period], {}, []
    inside = Scope([])
    for box in group:
        for index, link in enumerate(box.links):
            if id(link.source) not in place:
                key = (id(link.source), link.way_out)
                if key not in ports:
                    ports[key] = Box("port")
                    links.append(link)
                box.links[index] = Link(ports[key], 0, link.shape)
    inside.ports, inside.boxes = list(ports.values()), group
    ways = {}
    others = [box for box in scope.boxes if id(box) not in place] + row[period:]
    for link in [link for box in others for link in box.links] + scope.outputs:
        if id(link.source) in place:
            origin = place[id(link.source)]
            user = next((box for box in row[period:] if link in box.links), None)
            if user and row.index(user) // period == row.index(link.source) // period:
                continue
            if (origin, link.way_out) not in ways:
                ways[origin, link.way_out] = len(ways)
                inside.outputs.append(Link(group[origin], link.way_out, link.shape, to_next=True))
            inside.outputs[ways[origin, link.way_out]].to_next &= user is not None
    signature = ("row", count, tuple((box.signature, box.count) for box in group))
    frame = Box("module", links=links, count=count, inside=inside, section=group[0].section, signature=signature)
    return frame, ways
