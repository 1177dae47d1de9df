"""The ten outlines of shapes10, as signed distance functions.

A signed distance function gives for every point how far it is from an outline: negative inside, positive outside.
Outlines are built from half-planes and discs by constructive solid geometry: the union of two shapes is the minimum
of their functions, the intersection the maximum, and the complement changes the sign. Distances are exact near the
edges, where the picture is made, and may be too short near corners.

Ricci, "A constructive geometry for computer graphics", The Computer Journal 16(2), 1973.

Every function takes coordinates u (to the right) and v (down), arrays of any one shape, in units of the object's
radius with its centre at 0, and returns distances of that shape and dtype.
"""

import math

import numpy as np


def disc(u, v, centre_u, centre_v, radius):
    """All points within `radius` of a centre."""
    return np.hypot(u - centre_u, v - centre_v) - radius


def rectangle(u, v, half_width, half_height):
    """A rectangle around 0, its sides along the axes."""
    return np.maximum(np.abs(u) - half_width, np.abs(v) - half_height)


def polygon(u, v, corners):
    """The convex polygon with these (u, v) corners, in clockwise order on the screen: one half-plane a side."""
    distance = None
    for (u0, v0), (u1, v1) in zip(corners, corners[1:] + corners[:1], strict=True):
        length = math.hypot(u1 - u0, v1 - v0)
        side = (u - u0) * ((v1 - v0) / length) - (v - v0) * ((u1 - u0) / length)
        distance = side if distance is None else np.maximum(distance, side, out=distance)
    return distance


def corner(k, of, radius=1.0):
    """Corner k of a regular polygon whose corner 0 points up."""
    angle = 2 * math.pi * k / of
    return radius * math.sin(angle), -radius * math.cos(angle)


def circle(u, v):
    """A disc of radius 0.8."""
    return disc(u, v, 0, 0, 0.8)


def square(u, v):
    """A square of side 1.4."""
    return rectangle(u, v, 0.7, 0.7)


def triangle(u, v):
    """An equilateral triangle that stands on its side."""
    return polygon(u, v, [corner(k, of=3) for k in range(3)])


def pentagon(u, v):
    """A regular pentagon that stands on its side."""
    return polygon(u, v, [corner(k, of=5, radius=0.95) for k in range(5)])


def star(u, v):
    """Five overlapping kites, each from a tip to the notch across: a point lies in the star if it lies in one."""
    def kite(k):
        notches = [corner(2 * k + j, of=10, radius=0.45) for j in (1, 5, 9)]
        return polygon(u, v, [corner(2 * k, of=10), *notches])
    distance = kite(0)
    for k in range(1, 5):
        np.minimum(distance, kite(k), out=distance)
    return distance


def cross(u, v):
    """Two bars that cross at right angles."""
    return np.minimum(rectangle(u, v, 0.95, 0.28), rectangle(u, v, 0.28, 0.95))


def ring(u, v):
    """A disc with a round hole."""
    return np.abs(disc(u, v, 0, 0, 0.68)) - 0.22


def crescent(u, v):
    """A disc out of which another disc is cut."""
    return np.maximum(disc(u, v, 0, 0, 0.95), -disc(u, v, 0.45, 0, 0.75))


def heart(u, v):
    """A square standing on its corner, and a disc on each of its two upper sides."""
    side, down = 0.5, 0.1
    diamond = (np.abs(u) + np.abs(v - down)) * math.sqrt(0.5) - side
    lobe = disc(np.abs(u), v, side * math.sqrt(0.5), down - side * math.sqrt(0.5), side)
    return np.minimum(diamond, lobe)


def arrow(u, v):
    """An arrow that points up: a triangle on a bar."""
    head = polygon(u, v, [(0.0, -1.0), (0.72, -0.05), (-0.72, -0.05)])
    return np.minimum(head, rectangle(u, v - 0.4, 0.24, 0.55))


OUTLINES = (circle, square, triangle, pentagon, star, cross, ring, crescent, heart, arrow)
