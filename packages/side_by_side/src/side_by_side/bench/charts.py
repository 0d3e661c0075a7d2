"""The pictures, as Vega-Lite made by Altair: interactive, and drawn in the reader's own browser."""

from collections.abc import Callable, Sequence
from typing import Any

import altair as alt
import vl_convert

from ..tables import duration, factor
from .cells import LIMITS, where
from .results import Run
from .story import PUBLISHED, crossings_of, ladder, sweep

COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00"),
    *("#56b4e9", "#8c6d1f", "#5f5fa8", "#7f7f7f", "#b22222", "#6fbf3f"),
)
"""Okabe and Ito's palette, which colour-blind readers can tell apart, and more for peers."""
INK = "black"
"""Where the page is dark, its style sheet says otherwise."""
GREYS = ("#666666", "#858585", "#9e9e9e")
"""Of limits and of what others published: seen on light and on dark."""
HEIGHT = 380
KINDS = ("implementation", "peer", "limit")
REFERENCE_STEP = ("train step", "64, 784-50-10", "")


def library() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script, so that the page needs no network."""
    version = alt.SCHEMA_VERSION.removeprefix("v").rpartition(".")[0]
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=version))


def charts(run: Run) -> list[dict[str, Any]]:
    """Title, explanation and specification of each picture that the run has numbers for."""
    drawn = [
        *_sweeps(run),
        *_picture(roofline, run),
        *_picture(shares, run),
        *_picture(rungs, run),
        *_picture(lines, run),
    ]
    return [{"title": title, "text": text, "spec": _finished(chart).to_dict()} for title, text, chart in drawn]


Picture = tuple[str, str, Any]


def _picture(draw: Callable[[Run], Picture | None], run: Run) -> list[Picture]:
    picture = draw(run)
    return [picture] if picture else []


def _finished(chart: Any) -> Any:
    return (
        chart.properties(width="container", height=HEIGHT, background="transparent")
        .configure_view(stroke=None)
        .configure_axis(
            gridColor="#888", gridOpacity=0.25, domainColor="#888", tickColor="#888", labelFontSize=12, titleFontSize=13
        )
        .configure_point(opacity=0.9)
        .configure_legend(orient="bottom", labelFontSize=12, symbolStrokeWidth=3, symbolOpacity=1, title=None)
    )


def _sweeps(run: Run) -> list[Picture]:
    sections = dict.fromkeys(entry.cell.section for entry in run.shown() if entry.cell.work == "sweep")
    return [picture for section in sections if (picture := over_width(run, section))]


def over_width(run: Run, section: tuple[str, str, int]) -> Picture | None:
    """Time against size, with the crossovers marked."""
    widths, curves = sweep(run, section)
    points = [
        {
            "implementation": _short(name),
            "width": width,
            "seconds": y.median,
            "low": y.low,
            "high": y.high,
            "time": duration(y.median),
            "limit": name.startswith("limit:"),
        }
        for name, curve in curves.items()
        for width, y in zip(widths, curve, strict=True)
        if y
    ]
    if len({point["width"] for point in points}) < 2:
        return None
    x = alt.X("width:Q", title="hidden units", scale=alt.Scale(type="log", base=2), axis=alt.Axis(values=widths))
    y = alt.Y("seconds:Q", title="seconds a call", scale=alt.Scale(type="log"), axis=_seconds_axis())
    tips = ["implementation:N", "width:Q", "time:N"]
    base = _chart(points)
    layers: list[Any] = [
        base.mark_area(opacity=0.12).encode(
            x=x, y=alt.Y("low:Q", title="seconds a call"), y2="high:Q", color=_colour(run)
        ),
        base.mark_line(point=True).encode(x=x, y=y, color=_colour(run), strokeDash=_dash(), tooltip=tips),
    ]
    crossed = [
        {
            "width": crossing.width,
            "seconds": crossing.seconds,
            "says": f"{crossing.winner} overtakes {crossing.loser} at about {crossing.width:.0f}",
        }
        for crossing in crossings_of(run, section)
    ]
    if crossed:
        marks = _chart(crossed).encode(x=x, y=y, tooltip=["says:N"])
        layers.append(marks.mark_point(size=220, color=INK, strokeWidth=2))
    place = f"{section[0]} on {where(section[1], section[2])}"
    text = (
        f"loss_and_grads of a net with one hidden layer, {place}. Dashed: the bare matrix products. "
        "Circles: where one clearly overtakes another" + ("." if crossed else "; here none does.")
    )
    return f"Time against width, {place}", text, alt.layer(*layers)


def roofline(run: Run) -> Picture | None:
    """GFLOP/s against the size of the work, under the roof of the bare matrix products."""
    points = [
        {
            "implementation": _short(entry.cell.implementation),
            "flops": 2 * run.multiply_adds(entry.cell),
            "gflops": run.gflops(entry),
            "what": str(entry.cell),
            "limit": entry.cell.implementation.startswith("limit:"),
        }
        for entry in run.shown()
        if entry.time and entry.cell.work in ("loss_and_grads", "train step", "forward") and _main(entry.cell.section)
    ]
    if not points:
        return None
    chart = _chart(points).encode(
        x=alt.X("flops:Q", title="floating-point operations a call", scale=alt.Scale(type="log"), axis=_power_axis()),
        y=alt.Y(
            "gflops:Q",
            title="GFLOP/s",
            scale=alt.Scale(type="log"),
            axis=alt.Axis(values=[10.0**i for i in range(-6, 6)], format="~g"),
        ),
        color=_colour(run),
        tooltip=["implementation:N", "what:N", alt.Tooltip("gflops:Q", format=".3g")],
    )
    roof = chart.transform_filter("datum.limit").mark_point(shape="stroke", size=300, strokeWidth=2)
    own = chart.transform_filter("!datum.limit").mark_point(filled=True, size=70)
    text = "Forward, backward and train steps in float64 on one thread. Strokes are the roof: the bare matrix products."
    return "Roofline", text, alt.layer(roof, own)


def shares(run: Run) -> Picture | None:
    """How much of the limit each reaches."""
    points = [
        {
            "implementation": _short(entry.cell.implementation),
            "size": entry.cell.size,
            "share": share,
            "multiply_adds": run.multiply_adds(entry.cell),
            "percent": f"{share:.0%}",
        }
        for entry in run.shown()
        if entry.cell.work == "train step" and _main(entry.cell.section) and (share := run.share(entry)) is not None
    ]
    if not points:
        return None
    order = sorted(points, key=lambda point: float(str(point["multiply_adds"])))
    chart = _chart(points).encode(
        y=alt.Y("size:N", sort=list(dict.fromkeys(str(point["size"]) for point in order)), title="batch, widths"),
        yOffset=alt.YOffset("implementation:N", sort=_order(run)),
        x=alt.X("share:Q", title="share of the limit", axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1])),
        color=_colour(run, kinds=("implementation", "peer")),
        tooltip=["implementation:N", "size:N", "percent:N"],
    )
    line = _chart([{"at": 1}]).mark_rule(strokeDash=[6, 4], color=INK).encode(x="at:Q")
    text = "A train step against the bare matrix products of the same step in the same library, float64 on one thread."
    return "Share of the limit", text, alt.layer(chart.mark_bar(), line)


def rungs(run: Run) -> Picture | None:
    """The ladder, ours and the published ones."""
    ours = ladder(run)
    if not ours:
        return None
    points = [
        {"who": name, "rung": rung, "seconds": seconds, "time": duration(seconds), "published": name in PUBLISHED}
        for name, column in {**ours, **PUBLISHED}.items()
        for rung, seconds in column.items()
    ]
    names = [*ours, *PUBLISHED]
    order = [*PUBLISHED["fastbook ch. 17"], *(rung for column in ours.values() for rung in column)]
    chart = (
        _chart(points)
        .mark_point(size=130, strokeWidth=2)
        .encode(
            x=alt.X("seconds:Q", title="seconds", scale=alt.Scale(type="log"), axis=_seconds_axis()),
            y=alt.Y("rung:N", sort=list(dict.fromkeys(order)), title=None, axis=alt.Axis(grid=True)),
            color=alt.Color("who:N", scale=alt.Scale(domain=names, range=_colours(run, names)), sort=names, title=None),
            shape=alt.Shape(
                "who:N",
                scale=alt.Scale(domain=names, range=["circle"] * len(ours) + ["diamond"] * len(PUBLISHED)),
                sort=names,
            ),
            fillOpacity=alt.value(0.6),
            tooltip=["who:N", "rung:N", "time:N"],
        )
    )
    return "Matmul ladder", "5×784 @ 784×10. Diamonds are published timings, each on its authors' machine.", chart


def lines(run: Run) -> Picture | None:
    """Time against how much there is to read."""
    points = []
    for entry in run.shown():
        count = run.implementations[entry.cell.implementation].get("lines")
        if entry.time and count and entry.cell.row == REFERENCE_STEP and _main(entry.cell.section):
            point = {"implementation": entry.cell.implementation, "lines": count, "seconds": entry.time.median}
            ratio = factor(entry.ratio.median) if entry.ratio else "×1"
            points.append({**point, "time": duration(entry.time.median), "ratio": ratio})
    if len(points) < 2:
        return None
    chart = _chart(points).encode(
        x=alt.X(
            "lines:Q",
            title="lines of code in the whole package",
            scale=alt.Scale(zero=False, padding=30),
            axis=alt.Axis(tickCount=8),
        ),
        y=alt.Y(
            "seconds:Q",
            title="seconds a train step",
            scale=alt.Scale(type="log", padding=30, nice=False),
            axis=_seconds_axis(everywhere=True),
        ),
        color=_colour(run, kinds=("implementation",)),
        tooltip=["implementation:N", "lines:Q", "time:N", "ratio:N"],
    )
    text = f"A train step at {REFERENCE_STEP[1]}, float64, one thread; lines without blanks, comments and docstrings."
    return "Time against lines of code", text, chart.mark_point(filled=True, size=140)


def _chart(values: Sequence[dict[str, Any]]) -> Any:
    data: Any = alt.Data
    return alt.Chart(data(values=values))


def _main(section: tuple[str, str, int]) -> bool:
    return section == ("float64", "cpu", 1)


def _short(name: str) -> str:
    return name.replace("limit:", "limit: ").replace("peer:", "")


def _order(run: Run, kinds: Sequence[str] = KINDS) -> list[str]:
    return [_short(name) for name in run.of_kind(*kinds)]


def _colours(run: Run, names: Sequence[str]) -> list[str]:
    own = [_short(name) for name in run.of_kind("implementation", "peer")]
    shades = dict(zip([*PUBLISHED, *map(_short, LIMITS)], 2 * GREYS, strict=True))
    return [shades.get(name) or COLOURS[own.index(name) % len(COLOURS)] for name in names]


def _colour(run: Run, kinds: Sequence[str] = KINDS) -> Any:
    names = _order(run, kinds)
    scale = alt.Scale(domain=names, range=_colours(run, names))
    return alt.Color("implementation:N", scale=scale, sort=names)


def _dash() -> Any:
    return alt.StrokeDash("limit:N", scale=alt.Scale(domain=[False, True], range=[[1, 0], [5, 4]]), legend=None)


def _seconds_axis(everywhere: bool = False) -> Any:
    """100 ns, 1 µs, … at the powers of ten, or at all ticks that fit."""
    label = (
        "datum.value >= 1 ? format(datum.value, '~g') + ' s'"
        " : datum.value >= 9.9e-4 ? format(datum.value * 1e3, '~g') + ' ms'"
        " : datum.value >= 9.9e-7 ? format(datum.value * 1e6, '~g') + ' µs'"
        " : format(datum.value * 1e9, '~g') + ' ns'"
    )
    if everywhere:
        return alt.Axis(labelExpr=label, tickCount=6)
    return alt.Axis(labelExpr=label, values=[10.0**i for i in range(-9, 4)])


def _power_axis() -> Any:
    return alt.Axis(values=[10.0**i for i in range(1, 14)], format="~s")
