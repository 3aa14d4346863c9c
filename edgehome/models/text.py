"""The models as text for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def listing(rows: Sequence[Mapping[str, Any]], known: Sequence[Mapping[str, Any]]) -> str:
    """Return the models that are here, the configured one marked, and those to be fetched."""
    lines = ["Here:" if rows else "No model is here."]
    for row in rows:
        mark = "*" if row["configured"] else " "
        if "problem" in row:
            lines.append(f"{mark} {row['file']}\n    cannot be used: {row['problem']}")
            continue
        manifest = row["manifest"]
        pinned = "" if manifest["pinned"] else ", no manifest vouches for it"
        lines.append(
            f"{mark} {row['file']}\n    {manifest['name']}: {row['architecture']}, "
            f"{_precision(row)}, {manifest['labels']} labels, {row['bytes'] / 1e6:.1f} MB{pinned}"
        )
        if row["heads"]:
            lines.append(f"    heads: {', '.join(head['name'] for head in row['heads'])}")
    if any(row["configured"] for row in rows):
        lines.append("* is the one in the configuration.")
    lines.append("\nTo fetch with `edgehome models fetch NAME`:")
    lines += [f"  {m['name']:<22}{m['title']}{' (here)' if m['here'] else ''}" for m in known]
    return "\n".join(lines)


def _precision(about: Mapping[str, Any]) -> str:
    form = (about["compiled"] or {}).get("form")
    return f"{about['precision']}, {f'compiled for {form}' if form else 'as its makers wrote it'}"


def shown(about: Mapping[str, Any]) -> str:
    """Return all that is known of one file, a line each."""
    manifest, interface = about["manifest"], about["interface"]
    pinned = "known" if manifest["pinned"] else "no manifest says what it should be"
    facts = {
        "name": manifest["name"],
        "file": f"{about['file']}, {about['bytes']:,} bytes",
        "SHA-256": f"{manifest['sha256']} ({pinned})",
        "network": f"MoViNet {about['architecture']}, {_precision(about)}",
        "frames": f"{manifest['size']} x {manifest['size']} pixels, {manifest['rate']:g} a second",
        "labels": str(manifest["labels"]),
        "embedding": about["embedding"] or "not named",
        "licence": manifest["licence"] or "not said",
        "source": manifest["source"] or "not said",
        "signature": interface["signature"],
        **{f"in {name}": kind for name, kind in interface["inputs"].items()},
        **{f"out {name}": kind for name, kind in interface["outputs"].items()},
        "states": f"{interface['states']}; {interface['state_bytes_in']:,} bytes in and "
        f"{interface['state_bytes_out']:,} out a frame",
        "graph": f"{interface['operators']} operators, tensors of up to "
        f"{interface['highest_rank']} dimensions",
    }
    agreement = (about["compiled"] or {}).get("agreement") or {}
    facts |= {f"agreement: {what}": str(value) for what, value in agreement.items()}
    lines = [f"{name:<13}{text}" for name, text in facts.items()]
    for head in about["heads"]:
        fits = "fits" if head["fits"] else head["fault"] or f"is for {head['embedding']!r}"
        lines.append(f"{'head':<13}{head['name']}: {fits}. {head['description']}".rstrip())
    return "\n".join(lines)
