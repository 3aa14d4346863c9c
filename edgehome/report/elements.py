"""HTML elements. Whatever is not made here is text, and is escaped."""

from __future__ import annotations

from html import escape


class Markup(str):
    """HTML that is as it should be; only this module makes it."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: object) -> Markup:
    """Return an element. Children that are no Markup are text.

    An attribute's name has `_` for `-`, and one at the end where Python has the word; None and
    False leave it out, True gives it without a value.
    """
    parts = [f"<{tag}"]
    for name, value in attributes.items():
        key = name.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(f" {key}")
        elif value is not None and value is not False:
            parts.append(f' {key}="{escape(str(value))}"')
    if tag in {"img", "path", "rect", "line"}:
        return Markup("".join(parts) + ("/>" if tag != "img" else ">"))
    return Markup(f"{''.join(parts)}>{join(*children)}</{tag}>")


def join(*children: str) -> Markup:
    """Return the children one after the other."""
    return Markup("".join(c if isinstance(c, Markup) else escape(c) for c in children))


def data_block(json_text: str) -> Markup:
    """Return JSON where a script finds it; no text in it can end the block."""
    safe = json_text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("&", "\\u0026")
    return Markup(f'<script type="application/json">{safe}</script>')
