"""Pictures that need no script: drawn by Altair when the page is made."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup

INK = "currentColor"  # as the page has it, light or dark
AXIS = {
    "labelColor": INK,
    "titleColor": INK,
    "domainColor": INK,
    "tickColor": INK,
    "gridColor": INK,
    "gridOpacity": 0.15,
}
WORDS = {"labelColor": INK, "titleColor": INK}


def times(rows: Sequence[tuple[tuple[str, str], Mapping[str, Any]]], order: Sequence[str]) -> Markup:
    """How long a train step takes, one line a net, one mark a package, each factor of ten the same width."""
    data = [
        {"net": f"{size}, {dtype}", "package": name, "seconds": cells[name]["time"]["median"]}
        for (size, dtype), cells in rows
        for name in order
        if name in cells
    ]
    packages = alt.Scale(domain=list(order))
    chart = (
        alt.Chart(alt.InlineData(values=data), width=560, height=alt.Step(26), background="transparent")
        .mark_point(filled=True, size=70)
        .encode(
            x=alt.X("seconds:Q", scale=alt.Scale(type="log"), title="seconds a train step", axis=alt.Axis(format="~s")),
            y=alt.Y("net:N", sort=None, title=None),
            color=alt.Color("package:N", scale=packages, title="package"),
            shape=alt.Shape("package:N", scale=packages, title="package"),
        )
        .configure(axis=AXIS, legend=WORDS, font="sans-serif")
        .configure_view(stroke=None)
    )
    return Markup(vl_convert.vegalite_to_svg(chart.to_dict()))  # numbers and names of ours alone
