"""Small tables as HTML, by which objects show themselves in a notebook."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np
from jaxtyping import Float

MOST_ROWS, MOST_COLUMNS = 60, 12
"""Of a table of numbers; it says how many more there are."""


def html_table(rows: Iterable[Sequence[str]], heads: Sequence[str] = (), caption: str = "") -> str:
    """A table of texts, all of them escaped; the first of each row is its head."""
    lines = [f"<caption>{escape(caption)}</caption>"] if caption else []
    if heads:
        cells = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
        lines.append(f"<thead><tr>{cells}</tr></thead>")
    lines.append("<tbody>")
    for first, *others in rows:
        cells = "".join(f"<td>{escape(other)}</td>" for other in others)
        lines.append(f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>')
    return "\n".join(["<table>", *lines, "</tbody>", "</table>"])


def over_beta(
    beta: Float[np.ndarray, " beta"],
    values: Mapping[str, Float[np.ndarray, " beta"]],
    errors: Mapping[str, Float[np.ndarray, " beta"]],
    units: Mapping[str, str],
    caption: str,
) -> str:
    """Numbers at each beta, with their units, as an HTML table.

    Args:
        beta: A row each.
        values: A column each, by name.
        errors: What stands behind the numbers of that name, after a plus-minus.
        units: By the names of the columns; ``1`` is left out.
        caption: Above the table; what does not fit is told there.
    """
    names = list(values)[:MOST_COLUMNS]
    left_out = {"betas": len(beta) - MOST_ROWS, "columns": len(values) - len(names)}
    told = [f"{count} more {what}" for what, count in left_out.items() if count > 0]
    if told:
        caption += f"; {' and '.join(told)} not shown"
    heads = ["beta"] + [name if units[name] == "1" else f"{name} ({units[name]})" for name in names]
    rows = [
        [f"{rate:.4g}"] + [_number(values[name][at], errors.get(name), at) for name in names]
        for at, rate in enumerate(beta[:MOST_ROWS].tolist())
    ]
    return html_table(rows, heads, caption)


def _number(value: float, errors: Float[np.ndarray, " beta"] | None, at: int) -> str:
    """Empty where there is none."""
    if not np.isfinite(value):
        return ""
    has_error = errors is not None and np.isfinite(errors[at])
    return f"{value:.4g}" + (f" ± {errors[at]:.2g}" if has_error and errors is not None else "")
