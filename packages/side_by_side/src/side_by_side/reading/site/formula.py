"""LaTeX as MathML, in which letters that are symbols of the code can be lit."""

import re
from collections.abc import Mapping

from latex2mathml.converter import convert
from markupsafe import Markup, escape

PARTIAL = "<mo>&#x02202;</mo>"


def mathml(latex: str, letters: Mapping[str, str] | None = None) -> Markup:
    """The formula; letters has the symbol of the code for a letter, or for a letter after ∂: {"∂y": "grad_out"}.

    Several in one become as many, which a narrow page sets below each other.
    """
    return Markup(" ").join(_mathml(part, letters or {}) for part in re.split(r"(?<=,) \\quad ", latex))


def _mathml(latex: str, letters: Mapping[str, str]) -> Markup:
    made = convert(latex).replace("<math ", '<math displaystyle="true" ', 1)
    for letter, symbol in sorted(letters.items(), key=lambda item: -len(item[0])):
        name, mark = letter.removeprefix("∂"), escape(symbol)
        lit = f'<mi data-s="{mark}">{name}</mi>'
        plain = f"<mi>{name if name.isascii() else f'&#x{ord(name):05X};'}</mi>"
        if letter == name:
            made = made.replace(plain, lit)
        else:
            made = re.sub(rf"{PARTIAL}(<ms(?:ub|up|ubsup)>)?{plain}", rf'<mo data-s="{mark}">∂</mo>\1{lit}', made)
    return Markup(made)
