"""Where the boxes of a scope stand: a rank from top to bottom, a column from left to right, and lanes for what goes by.

The longest way from what comes in to what goes out is column 0. Other chains of boxes have columns at its right (1, 2,
...); what goes past boxes of column 0, as a residual does, has lanes at its left (-1, -2, ...).
"""

from .boxes import Box, Link, Scope


class Wires:
    """Ranks, columns and lanes of a scope.

    Attributes
    ----------
    nodes : list of Box
        Ports, boxes, and for each way out a box of the kind "sink".
    rank, column : dict of Box to int
    lanes : dict of (Box, int) to int
        The lane of what a box makes, by its way out, where that goes past other boxes.
    feeds : set of Link
        Those that run down the column in which they end.
    tails : set of Box
        Those whose column is free below them, down to the last box that they lead to.
    """

    def __init__(self, scope: Scope) -> None:
        sinks = [Box("sink", "for the next" if link.to_next else "", links=[link]) for link in scope.outputs]
        self.scope, self.nodes = scope, [*scope.ports, *scope.boxes, *sinks]
        self.consumers: dict[Box, list[tuple[Box, Link]]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for link in node.links:
                self.consumers[link.source].append((node, link))
        self.rank, main = self._ranks(sinks)
        self.column = dict.fromkeys(main, 0)
        self.feeds: set[Link] = set()
        self.tails: set[Box] = set()
        self.spans: dict[int, list[tuple[int, int]]] = {}
        self._give_columns()
        self.lanes = self._give_lanes()

    def _ranks(self, sinks):
        """Ranks by the longest way, others than its boxes as late as they can be; and the boxes on that way.

        Frames stand side by side where they can.
        """
        rank, before = {}, {}
        for node in self.nodes:
            last = max((link.source for link in node.links), key=rank.__getitem__, default=None)
            rank[node], before[node] = (0, None) if last is None else (rank[last] + 1, last)
        main, node = [], max(sinks or self.nodes, key=rank.__getitem__)
        while node is not None:
            main.append(node)
            node = before[node]
        bottom, frames = max(rank.values()), [rank[node] for node in main if node.inside]
        for node in reversed(self.nodes):
            late = [rank[consumer] - 1 for consumer, _ in self.consumers[node]]
            if node.kind == "sink":
                rank[node] = bottom
            elif node not in main and late and (node.kind != "port" or node.title):
                rank[node] = max([place for place in frames if node.inside and rank[node] <= place < min(late)],
                                 default=min(late))
        return rank, main[::-1]

    def last(self, node):
        """The rank down to which the way from a box to those that it leads to needs a column of its own."""
        return max((self.rank[consumer] - (consumer.kind != "symbol") for consumer, _ in self.consumers[node]),
                   default=self.rank[node])

    def _give_columns(self):
        chains, seen = [], set(self.column)
        for node in sorted(self.nodes, key=self.rank.__getitem__, reverse=True):
            if node in seen:
                continue
            chain = [node]
            while True:
                seen.add(chain[0])
                above = [link for link in chain[0].links if link.source not in seen]
                if not above:
                    break
                chain.insert(0, max(above, key=lambda link: self.rank[link.source]).source)
            chains.append(chain)
        spans = []
        for chain in chains:
            first, start = chain[0], self.rank[chain[0]]
            if first.links:
                feed = max(first.links, key=lambda link: self.rank[link.source])
                self.feeds.add(feed)
                start = self.rank[feed.source] + 1
            for upper, lower in zip(chain, chain[1:], strict=False):
                self.feeds.update(link for link in lower.links if link.source is upper)
            self.tails.add(chain[-1])
            spans.append((start, max(self.rank[chain[-1]], self.last(chain[-1])), chain))
        for start, end, chain in sorted(spans, key=lambda span: span[1] - span[0]):
            column = self._free(1, 1, start, end)
            self.column.update(dict.fromkeys(chain, column))

    def _free(self, column, step, start, end):
        """The first column from one on, by steps, that is free from one rank to another; taken from now on."""
        while any(start <= other_end and other_start <= end for other_start, other_end in self.spans.get(column, [])):
            column += step
        self.spans.setdefault(column, []).append((start, end))
        return column

    def _give_lanes(self):
        spans = {}
        for node in self.nodes:
            for link in node.links:
                if self.goes_by(node, link):
                    key = (link.source, link.way_out)
                    end = self.rank[node] - (node.kind != "symbol")
                    spans[key] = max(end, spans.get(key, end))
        lanes = {}
        for source, way_out in sorted(spans, key=lambda key: spans[key] - self.rank[key[0]]):
            right = self.column[source]
            lanes[source, way_out] = self._free(right + 1 if right else -1, 1 if right else -1, self.rank[source] + 1,
                                                spans[source, way_out])
        return lanes

    def goes_by(self, node: Box, link: Link) -> bool:
        """Whether a link passes other boxes outside the columns of its ends."""
        return self.rank[node] - self.rank[link.source] > 1 and link not in self.feeds and link.source not in self.tails

    def approach(self, node: Box, link: Link) -> int:
        """The column from which a link comes to its end."""
        if self.goes_by(node, link):
            return self.lanes[link.source, link.way_out]
        return self.column[node] if link in self.feeds else self.column[link.source]

    def is_clear(self, node: Box, column: int) -> bool:
        """Whether nothing stands between a box and a column at its side."""
        low, high = sorted((self.column[node], column))
        return not any(self.rank[other] == self.rank[node] and low <= self.column[other] <= high and other is not node
                       for other in self.nodes)

    def cuts(self) -> list[int]:
        """Ranks behind which a single arrow, in column 0, leads on."""
        found = []
        for rank in range(1, max(self.rank.values())):
            crossing = [(node, link) for node in self.nodes for link in node.links
                        if self.rank[link.source] <= rank < self.rank[node]]
            if len({(link.source, link.way_out) for _, link in crossing}) == 1 == len(crossing) \
                    and all(self.column[node] == 0 == self.column[link.source] for node, link in crossing) \
                    and all(self.rank[node] == rank + 1 == self.rank[link.source] + 1 for node, link in crossing):
                found.append(rank)
        return found


def in_order(flows: dict) -> list:
    """What flows through a gap, from the upper to the lower of its horizontal lines.

    Parameters
    ----------
    flows : dict
        {what flows: ({places where it comes down}, {places where it goes on})}. What comes down where another goes on
        turns above it, so that their lines do not lie on one another.
    """
    order: list = []
    while len(order) < len(flows):
        left = [key for key in flows if key not in order]
        free = [key for key in left if not any(flows[key][1] & flows[other][0] for other in left if other is not key)]
        order.append((free or left)[0])
    return order
