"""Places and sizes of a scope's boxes, and of the arrows between them."""

import re

from .sheet import DETAIL, TITLE, Arrow, Shape, Sheet, Text, shape_text, text_width, times
from .wires import Wires, in_order

PAD, SIDE = 12, 16  # inside a box, between columns of boxes
SYMBOL, LANE = 26, 20  # width of a circle; of the room for a line that goes past boxes
LONG, LINE = 190, 18  # width from which a box's settings take two lines; height of a line


class Placer:
    """Places the ranks of a scope, from one to another, of a page or inside a frame."""

    def __init__(self, scope, is_page=False):
        self.scope, self.is_page, self.wires = scope, is_page, Wires(scope)
        self.entry = 40.0  # of a column of the page
        if is_page:
            for node in self.wires.nodes:
                if node.kind == "sink":
                    node.title = shape_text(node.links[0].shape)

    def enters_box(self, rank):
        """Whether the box of a rank on the axis is closed."""
        return not any(node.inside for node in self.wires.nodes
                       if self.wires.rank[node] == rank and not self.wires.column[node])

    def __call__(self, first, last):
        """The sheet of these ranks."""
        wires, sheet = self.wires, Sheet()
        self.nodes = [node for node in wires.nodes if first <= wires.rank[node] <= last]
        self.sizes = {node: self.size(node) for node in self.nodes}
        self.links = [(node, link) for node in self.nodes for link in node.links if wires.rank[link.source] >= first]
        self.labels = {node: self.label(node) for node in self.nodes}
        self.headings = {node: self.heading(node, first) for node in self.nodes}
        self.ways_in = {node: self.places_in(node) for node in self.nodes}
        self.place_columns()
        self.tracks = self.give_tracks()
        self.place_rows(first, last)
        for node in self.nodes:
            self.draw(sheet, node)
        for node, link in self.links:
            sheet.arrows.append(self.arrow(node, link))
        sheet.height = self.bottom[last] + (14 if last < max(wires.rank.values()) else 0)
        sheet.left, sheet.right = self.left, self.right
        main = {wires.rank[node]: node for node in self.nodes if not wires.column[node]}
        sheet.begin, sheet.end = self.y(main[first]), self.y(main[last]) + self.sizes[main[last]][2]
        sheet.ways_in = [self.x(node) for node in self.scope.ports] if not self.is_page else []
        sheet.ways_out = [self.x(node) for node in wires.nodes if node.kind == "sink"] if not self.is_page else []
        return sheet

    def size(self, node):
        """(left, right, height) around the axis of a box, and the sheet inside it."""
        if node.kind == "symbol":
            return SYMBOL / 2, SYMBOL / 2, SYMBOL, None
        if node.kind in ("port", "sink"):
            width = text_width(node.title, TITLE, True) / 2 if node.title else 0
            return width, width, 24 if node.title else 0, None
        if node.inside:
            inner = Placer(node.inside)
            inner = inner(0, max(inner.wires.rank.values()))
            title = text_width(node.title, TITLE, True) + text_width(node.detail, DETAIL) + 8
            left = max(inner.left + PAD, title + 2 * PAD if node.title else 0)
            right = max(inner.right, 22 + text_width(times(node), TITLE, True)) + PAD
            return left, right, inner.height, inner
        lines = in_lines(node.detail)
        width = max(text_width(node.title + times(node, " "), TITLE, True), *(text_width(x, DETAIL) for x in lines), 60)
        return width / 2 + PAD, width / 2 + PAD, 36 + LINE * len(lines), None

    def label(self, node):
        """The shape to write at the arrow into a box; "" if it can be seen further up."""
        wires = self.wires
        axis = [link for link in node.links if wires.approach(node, link) == wires.column[node]]
        if node.inside or node.kind == "sink" or not axis:
            return ""
        link = axis[0]
        came = link.source.links[0].shape if link.source.links else None
        return shape_text(link.shape) if link.shape != came or link.source.kind == "port" else ""

    def heading(self, node, first):
        """The section that begins with a box of the page."""
        if not self.is_page or self.wires.column[node] or not node.section or node.kind == "sink":
            return ""
        above = [link.source.section for link in node.links if self.wires.column[link.source] == 0]
        return node.section if node.section not in above or self.wires.rank[node] == first else ""

    def place_columns(self):
        """The axis of each column and lane, and how far all of it extends."""
        wires, left, right = self.wires, {}, {}
        for node in self.nodes:
            column, (l, r, _, _) = wires.column[node], self.sizes[node]
            r = max(r, self.beside(node) + text_width(self.labels[node], DETAIL) if self.labels[node] else 0)
            l = max(l, 14 + text_width(self.headings[node], DETAIL, True) if self.headings[node] else 0)
            left[column], right[column] = max(left.get(column, 0), l), max(right.get(column, 0), r)
        used = {wires.lanes[link.source, link.way_out] for node, link in self.links if wires.goes_by(node, link)}
        lowest, highest = min(used, default=0), max(used, default=0)
        self.axis = {0: 0.0}
        x = -left.get(0, 0) - (SIDE if lowest else 0) + LANE / 2
        for lane in range(-1, lowest - 1, -1):
            x -= LANE
            self.axis[lane] = x
        self.left = -x + 6 if lowest else left.get(0, 0)
        edge = right.get(0, 0)
        for column in range(1, max(highest, *left) + 1):
            self.axis[column] = edge + SIDE + left.get(column, 0)
            edge = self.axis[column] + right.get(column, 0)
        self.right = edge

    def beside(self, node):
        """How far from its axis the label of a box stands: behind all arrows that come in."""
        return 10 + max([0, *(place for place in self.ways_in[node] if place)])

    def x(self, node):
        """The axis of a box."""
        return self.axis[self.wires.column[node]]

    def places_in(self, node):
        """For each link of a box, where it comes in, from its axis; None for the side of a circle."""
        wires, inner = self.wires, self.sizes[node][3]
        if inner:
            return inner.ways_in
        own, found = wires.column[node], []
        columns = [wires.approach(node, link) for link in node.links]
        if node.kind == "symbol":
            return [0.0 if c == own or not wires.is_clear(node, c) else None for c in columns]
        on_axis = own in columns
        sides = {-1: sorted([c for c in columns if c < own], reverse=True), 1: sorted(c for c in columns if c > own)}
        step = min(26.0, (self.sizes[node][0] - 8) / (max(map(len, sides.values())) + 0.5))
        taken: dict[int, int] = {}
        for column in columns:
            side = (column > own) - (column < own)
            if not side:
                found.append(taken.get(0, 0) * step / 2)
                taken[0] = taken.get(0, 0) + 1
            else:
                place = sides[side].index(column) + taken.get(column, 0) + (1 if on_axis else 0.5)
                taken[column] = taken.get(column, 0) + 1
                found.append(side * place * step)
        return found

    def x_out(self, link):
        """Where a link begins."""
        inner = self.sizes[link.source][3]
        return self.x(link.source) + (inner.ways_out[link.way_out] if inner else 0)

    def run(self, node, link):
        """(x where a link begins, x of its long way down, x where it ends or None for the side of a circle)."""
        begin, place = self.x_out(link), self.ways_in[node][node.links.index(link)]
        end = None if place is None else self.x(node) + place
        if self.wires.goes_by(node, link):
            return begin, self.axis[self.wires.lanes[link.source, link.way_out]], end
        if link in self.wires.feeds and end is not None:
            return begin, end, end
        return begin, begin, end

    def give_tracks(self):
        """{(rank above the gap, what flows): which of the horizontal lines in that gap}"""
        moves: dict = {}  # {gap: {what flows: ({x where it comes down}, {x where it goes on})}}
        for node, link in self.links:
            begin, down, end = self.run(node, link)
            key, rank = (link.source, link.way_out), self.wires.rank
            for gap, start, stop in ((rank[link.source], begin, down), (rank[node] - 1, down, end)):
                if stop is not None and abs(start - stop) > 1:
                    starts, stops = moves.setdefault(gap, {}).setdefault(key, (set(), set()))
                    starts.add(round(start))
                    stops.add(round(stop))
        self.used = {gap: len(flows) for gap, flows in moves.items()}
        return {(gap, key): track for gap, flows in moves.items() for track, key in enumerate(in_order(flows))}

    def place_rows(self, first, last):
        """The upper and lower edge of each rank."""
        self.top, self.bottom, y = {}, {}, 0.0
        for rank in range(first, last + 1):
            row = [node for node in self.nodes if self.wires.rank[node] == rank]
            if rank > first:
                y += 12 + 12 * self.used.get(rank - 1, 0)
                y += 26 if any(self.labels[node] or self.headings[node] for node in row) else 14
                if rank == 1 and not self.is_page:
                    y += 24  # below the title of the frame
                if all(node.kind == "sink" and not node.title for node in row):
                    y -= 4
            elif first:
                y += self.entry
            self.top[rank], height = y, max((self.sizes[node][2] for node in row), default=0)
            self.bottom[rank] = y = y + height

    def y(self, node):
        """The upper edge of a box, in the middle of its row."""
        rank = self.wires.rank[node]
        if node.kind == "sink" and not node.title:
            return self.bottom[rank]  # the edge of the frame
        if self.sizes[node][3] or node.kind == "sink":
            return self.top[rank]
        return (self.top[rank] + self.bottom[rank] - self.sizes[node][2]) / 2

    def draw(self, sheet, node):
        """Put a box on the sheet."""
        (left, right, height, inner), x, y = self.sizes[node], self.x(node), self.y(node)
        if self.labels[node]:
            sheet.texts.append(Text(x + self.beside(node), self.top[self.wires.rank[node]] - 12, self.labels[node]))
        if self.headings[node]:
            sheet.texts.append(Text(x - 14, self.top[self.wires.rank[node]] - 12, self.headings[node], anchor="end",
                                    style="section"))
        if node.kind in ("port", "sink"):
            if node.title:
                sheet.texts.append(Text(x, y + 17, node.title, TITLE, "middle", "title"))
            return
        shape = Shape(node, x - left, y, left + right, height)
        sheet.shapes.append(shape)
        if inner:
            titled = text_width(node.title, TITLE, True)
            if node.title:
                shape.texts += [Text(x - left + PAD, y + 23, node.title, TITLE, "start", "title"),
                                Text(x - left + PAD + titled + 8, y + 23, node.detail)]
            if node.count > 1:
                shape.texts.append(Text(x + 14, y + 23, times(node), TITLE, "start", "title"))
            sheet.take(inner, x, y)
        else:
            title = node.title + times(node, " ")
            lines = in_lines(node.detail)
            y = y + height / 2 + 6 - LINE / 2 * len(lines)
            shape.texts.append(Text(x, y - bool(lines), title, TITLE, "middle", "title"))
            shape.texts += [Text(x, y + 2 + LINE * row, line, DETAIL, "middle") for row, line in enumerate(lines, 1)]

    def arrow(self, node, link):
        """The line of a link."""
        begin, down, end = self.run(node, link)
        key, rank = (link.source, link.way_out), self.wires.rank
        source = self.y(link.source) + self.sizes[link.source][2]
        points = [(begin, source)]
        if abs(begin - down) > 1:
            y = self.track(rank[link.source], key)
            points += [(begin, y), (down, y)]
        if end is None:
            middle = self.y(node) + SYMBOL / 2
            side = -1 if down < self.x(node) else 1
            points += [(down, middle), (self.x(node) + side * SYMBOL / 2, middle)]
        else:
            if abs(down - end) > 1:
                y = self.track(rank[node] - 1, key)
                points += [(down, y), (end, y)]
            points.append((end, self.y(node)))
        return Arrow(points, head=not node.inside and (node.kind != "sink" or self.is_page))

    def track(self, gap, key):
        """The height of a horizontal line in a gap."""
        below_title = 24 if gap == 0 and not self.is_page else 0
        return self.bottom[gap] + 10 + below_title + 12 * self.tracks[gap, key]


def in_lines(detail):
    """What stands below a title: in two lines if it is long, broken at the comma that makes the longer one shortest."""
    if text_width(detail, DETAIL) <= LONG or ", " not in detail:
        return [detail] if detail else []
    breaks = [(detail[:match.end() - 1], detail[match.end():]) for match in re.finditer(", ", detail)]
    return min(breaks, key=lambda lines: max(text_width(line, DETAIL) for line in lines))
