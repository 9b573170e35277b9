"""The pen: shapes, curves with heads and texts on a matplotlib axes whose units are inches."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cells import CIRCLE, DOTS, TRIANGLE, Shape
from .levels import FEEDBACK, FEEDFORWARD, LATERAL

FILL = {"apical": "#c7daee", "basal": "#f4dfc2", "soma": "white", "axon": "white"}
OTHER = "#e6e6e6"
STROKES: dict[str, Any] = {FEEDFORWARD: "-", FEEDBACK: (0, (4, 2)), LATERAL: (0, (1, 1.3))}
THICK, THIN = 1.6, 0.8  # plastic, fixed; points
HEAD = 0.085  # inches
INK = "0.1"


class Pen:
    """Draws on a figure of `width` x `height` inches; `font`: the points of texts."""

    def __init__(self, width: float, height: float, font: float):
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(width, height))
        self.panel = self.figure.add_axes((0, 0, 1, 1))
        self.panel.set(xlim=(0, width), ylim=(0, height))
        self.panel.axis("off")
        self.font = font

    def write(self, x: float, y: float, text: str, size: float = 1.0, **style: Any) -> Any:
        """A text around (x, y), `size` times as large as others."""
        style = {"ha": "center", "va": "center", "color": INK} | style
        return self.panel.text(x, y, text, fontsize=self.font * size, **style)

    def shape(self, shape: Shape, text: str, gid: str) -> None:
        """A compartment with a text in it."""
        from matplotlib.patches import Circle, FancyBboxPatch, Polygon

        if shape.form == DOTS:
            self.write(shape.x, shape.y, shape.text, 2.2, gid=gid)
            return
        colour = FILL.get(shape.role, OTHER)
        style: dict[str, Any] = {"facecolor": colour, "edgecolor": INK, "linewidth": 0.9}
        style |= {"zorder": 3, "gid": gid, "joinstyle": "round"}
        half, tall = shape.width / 2, shape.height / 2
        x, y = shape.x, shape.y
        if shape.form == TRIANGLE:
            patch: Any = Polygon(
                [(x - half, y - tall), (x + half, y - tall), (x, y + tall)], **style
            )
            y -= tall / 3
        elif shape.form == CIRCLE:
            patch = Circle((x, y), half, **style)
        else:
            round_ = f"round,pad=0,rounding_size={tall * 0.8}"
            corner = (x - half, y - tall)
            patch = FancyBboxPatch(corner, 2 * half, 2 * tall, boxstyle=round_, **style)
        self.panel.add_patch(patch)
        if text:
            fits = shape.width * 72 / (len(text) * 0.66 * self.font)
            self.write(x, y, text, min(0.92, fits) if text[0] != "$" else 0.92, zorder=5)

    def trunk(self, a: Shape, b: Shape) -> None:
        """The dendrite between two compartments."""
        self.panel.plot([a.x, b.x], [a.y, b.y], color="0.6", linewidth=2.6, zorder=1)

    def curve(
        self,
        points: np.ndarray,
        direction: str,
        gid: str,
        *,
        plastic: bool = False,
        negative: bool = False,
        single: bool = False,
    ) -> None:
        """A synapse: a cubic curve with a head; thick with a full head where it learns.

        negative: The head is round. single: One unit reaches one unit: a bar across its tail.
        """
        from matplotlib.patches import Circle, PathPatch, Polygon
        from matplotlib.path import Path

        into = points[3] - points[2]
        into = into / max(float(np.hypot(*into)), 1e-9)
        tip, neck = points[3], points[3] - into * HEAD
        path = Path(
            [*points[:2], points[2] - into * HEAD, neck],
            [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4],
        )
        style: dict[str, Any] = {"edgecolor": INK, "linewidth": THICK if plastic else THIN}
        line = PathPatch(path, fill=False, linestyle=STROKES[direction], zorder=2, gid=gid, **style)
        line.set_capstyle("butt")
        self.panel.add_patch(line)
        style = {"facecolor": INK if plastic else "white", "edgecolor": INK, "linewidth": THIN}
        if negative:
            head: Any = Circle(tip - into * HEAD / 2, HEAD / 2, zorder=4, **style)
        else:
            side = np.array([-into[1], into[0]]) * HEAD * 0.42
            head = Polygon([tip, neck + side, neck - side], zorder=4, **style)
        head.set_gid(f"{gid} head")
        self.panel.add_patch(head)
        if single:
            out = points[1] - points[0]
            out = out / max(float(np.hypot(*out)), 1e-9)
            middle, side = points[0] + out * 0.05, np.array([-out[1], out[0]]) * 0.045
            ends = np.array([middle + side, middle - side])
            self.panel.plot(*ends.T, color=INK, linewidth=1.2, zorder=4, gid=f"{gid} tail")

    def mark(self, x: float, y: float, text: str, gid: str) -> None:
        """A letter in a small circle, on a curve."""
        from matplotlib.patches import Circle

        radius = self.font / 72 * 0.62
        style = {"facecolor": "white", "edgecolor": INK, "linewidth": 0.8, "zorder": 4}
        self.panel.add_patch(Circle((x, y), radius, gid=gid, **style))
        self.write(x, y, text, 0.8, zorder=5, va="center_baseline", weight="bold")

    def bar(self, x: float, y: float, width: float, height: float, **style: Any) -> None:
        """A rectangle from its lower left corner."""
        from matplotlib.patches import Rectangle

        style = {"facecolor": "0.88", "edgecolor": INK, "linewidth": 0.6, "zorder": 2} | style
        self.panel.add_patch(Rectangle((x, y), width, height, **style))
