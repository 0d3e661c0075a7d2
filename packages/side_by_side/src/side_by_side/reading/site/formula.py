"""LaTeX as MathML, in which letters that are symbols of the code can be lit."""

import re
from collections.abc import Mapping

from latex2mathml.converter import convert
from markupsafe import Markup, escape

PARTIAL = "<mo>&#x02202;</mo>"


def mathml(latex: str, letters: Mapping[str, str] | None = None, display: str = "block") -> Markup:
    """The formula; letters has the symbol of the code for a letter, or for a letter after ∂: {"∂y": "grad_out"}."""
    made = convert(latex, display=display)
    for letter, symbol in sorted((letters or {}).items(), key=lambda item: -len(item[0])):
        partial, name = letter.startswith("∂"), letter.removeprefix("∂")
        code = name if name.isascii() else f"&#x{ord(name):05X};"
        mark = escape(symbol)
        inner = rf"(<ms(?:ub|up|ubsup)>)?<mi>{re.escape(code)}</mi>"
        if partial:
            made = re.sub(f"{PARTIAL}{inner}", rf'<mo data-s="{mark}">∂</mo>\1<mi data-s="{mark}" >{name}</mi>', made)
        else:
            made = re.sub(f"<mi>{re.escape(code)}</mi>", f'<mi data-s="{mark}">{name}</mi>', made)
    return Markup(made)
