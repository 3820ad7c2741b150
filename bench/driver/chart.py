"""A small writer of SVG bar charts: panels of horizontal bars, readable on light and dark pages."""
from html import escape

ROW, BAR, PANEL_GAP, LEFT, WIDTH, TOP = 24, 15, 34, 250, 820, 16

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .title { font-weight: 600; font-size: 14px; }
  .note { fill: #57606a; font-size: 12px; }
  .ours { fill: #0a7d5a; }
  .other { fill: #8c959f; }
  .spread { stroke: #24292f; stroke-width: 1; }
  .mark { stroke: #cf222e; stroke-width: 1; stroke-dasharray: 4 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .note { fill: #9198a1; } .ours { fill: #3fb68b; } .other { fill: #6e7681; } .spread { stroke: #e6edf3; }
  }
"""


class Bar:
    """One bar: its value, half the width of its spread in the same unit, and the text behind it."""

    def __init__(self, label, value, text, ours=False, spread=0.0):
        self.label, self.value, self.text, self.ours, self.spread = label, value, text, ours, spread


class Panel:
    """A group of bars with one scale. `mark`: a value with a dashed line, such as 1.0."""

    def __init__(self, title, note, bars, mark=None):
        self.title, self.note, self.bars, self.mark = title, note, bars, mark


def draw_panel(panel, top):
    scale_width = WIDTH - LEFT - 110
    largest = max([bar.value + bar.spread for bar in panel.bars] + [panel.mark or 0]) or 1
    parts = [f'<text class="title" x="0" y="{top + 14}">{escape(panel.title)}</text>',
             f'<text class="note" x="0" y="{top + 31}">{escape(panel.note)}</text>']
    y = first = top + 40
    for bar in panel.bars:
        width = bar.value / largest * scale_width
        middle = y + BAR / 2
        parts.append(f'<text x="{LEFT - 8}" y="{middle + 4.5:.1f}" text-anchor="end">{escape(bar.label)}</text>')
        kind = "ours" if bar.ours else "other"
        parts.append(f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{max(width, 1):.1f}" height="{BAR}" rx="2"/>')
        reach = bar.spread / largest * scale_width
        if reach >= 1:
            left, right = LEFT + width - reach, LEFT + width + reach
            parts.append(f'<line class="spread" x1="{left:.1f}" x2="{right:.1f}" y1="{middle}" y2="{middle}"/>')
        parts.append(f'<text x="{LEFT + width + reach + 6:.1f}" y="{middle + 4.5:.1f}">{escape(bar.text)}</text>')
        y += ROW
    if panel.mark:
        x = LEFT + panel.mark / largest * scale_width
        parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{first - 4}" y2="{y - 4}"/>')
    return parts, y


def svg(panels, description):
    """The chart's text. Panels without bars are left out."""
    parts, y = [], TOP
    for panel in panels:
        if panel.bars:
            drawn, y = draw_panel(panel, y)
            parts += drawn
            y += PANEL_GAP
    view = f"-8 0 {WIDTH + 16} {y - PANEL_GAP + 12}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" role="img" aria-label="{escape(description)}">'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>", ""])
