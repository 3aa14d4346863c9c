"""The models as text for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from edgehome.models.copying import Copied
    from edgehome.models.edgetpu import Adopted, Exported
    from edgehome.models.importer import Imported


def listing(rows: Sequence[Mapping[str, Any]], known: Sequence[Mapping[str, Any]]) -> str:
    """Return the models that are here, the configured one marked, and those to be fetched."""
    lines = ["Here:" if rows else "No model is here."]
    for row in rows:
        mark = "*" if row["configured"] else " "
        if "problem" in row:
            lines.append(f"{mark} {row['file']}\n    cannot be used: {row['problem']}")
            continue
        pinned = "" if row["pinned"] else ", nothing vouches for it"
        labels = f"{row['labels']} labels, " if row["labels"] else ""
        lines.append(
            f"{mark} {row['file']}\n    {row['name']}: {_network(row)}, {labels}"
            f"{row['bytes'] / 1e6:.1f} MB{pinned}"
        )
        if row["heads"]:
            lines.append(f"    heads: {', '.join(head['name'] for head in row['heads'])}")
    if any(row["configured"] for row in rows):
        lines.append("* is the one in the configuration.")
    lines.append("\nTo fetch with `edgehome models fetch NAME`:")
    lines += [f"  {m['name']:<22}{m['title']}{' (here)' if m['here'] else ''}" for m in known]
    return "\n".join(lines)


def _network(about: Mapping[str, Any]) -> str:
    network = about["network"]
    made = (
        f"compiled for {network['form']}" if "form" in network else "as published, to be imported"
    )
    return f"MoViNet {network['architecture']}, {network['precision']}, {made}"


def shown(about: Mapping[str, Any]) -> str:
    """Return all that is known of one file, a line each."""
    interface = about["interface"]
    pinned = "known" if about["pinned"] else "nothing says what it should be"
    facts = {
        "name": about["name"],
        "file": f"{about['file']}, {about['bytes']:,} bytes",
        "SHA-256": f"{about['sha256']} ({pinned})",
        "network": _network(about),
        "import": about["network"].get("fault", ""),
        "frames": f"{about['size']} x {about['size']} pixels, {about['rate']:g} a second",
        "labels": str(about["labels"] or "none of its own"),
        "embedding": about["embedding"],
        "licence": about["licence"] or "not said",
        "source": about["source"] or "not said",
        "signature": interface["signature"],
        **{f"in {name}": kind for name, kind in interface["inputs"].items()},
        **{f"out {name}": kind for name, kind in interface["outputs"].items()},
        "states": f"{interface['states']}; {interface['state_bytes_in']:,} bytes in and "
        f"{interface['state_bytes_out']:,} out a frame",
        "graph": f"{interface['operators']} operators, tensors of up to "
        f"{interface['highest_rank']} dimensions",
        **{f"agreement, {what}": str(value) for what, value in about["agreement"].items()},
    }
    lines = [f"{name:<14} {text}" for name, text in facts.items() if text]
    for head in about["heads"]:
        fits = "fits" if head["fits"] else head["fault"] or f"is for {head['embedding']!r}"
        lines.append(f"{'head':<14} {head['name']}: {fits}. {head.get('description', '')}".rstrip())
    return "\n".join(lines)


def imported(done: Imported, ratio: float) -> str:
    """Return what an import made, and how it was found to agree."""
    network = done.original.architecture
    gates = ", squeeze-excite" if network.squeeze_excite else ""
    ours, theirs = done.with_float, done.with_original
    return f"""\
{done.path}: MoViNet-{network.name.upper()}, {network.activation}{gates}, \
{len(done.manifest["labels"])} labels, computed in {done.precision}
  with float32: logits correlate to {ours.correlation:.4f}, {ours.top1:.0%} of {ours.frames} \
frames have the same label
  with the original ({done.original.precision}): {theirs.correlation:.4f}, {theirs.top1:.0%} of \
{theirs.frames}, before its sums drift
  a step takes {ratio:.2f} of the original's time here, with one thread
{_use(done.path)}"""


def copied(done: Copied) -> str:
    """Return what was copied, and how it did here."""
    heads = f" and its heads: {', '.join(done.heads)}" if done.heads else ""
    left_out = "".join(f"\n  left out: {why}" for why in done.left_out)
    return f"""\
{done.path}: {done.manifest.name}, compiled already; copied with its manifest{heads}{left_out}
  with float32, on this machine: {done.tested.correlation:.4f} on {done.tested.scenes} scenes
{_use(done.path)}"""


def exported(done: Exported) -> str:
    """Return what was written for the Edge TPU's compiler, and what is to be done with it."""
    rules = done.rules
    stays = rules["operators"] - rules["mapped"]
    return f"""\
{done.path}: {done.title}, for the Edge TPU's compiler; says the same as {done.model.name}, bit \
for bit, on {done.pictures} pictures
  by the compiler's published rules {rules["mapped_percent"]:.1f} % of \
{rules["macs"]:,} multiplications map; nothing was compiled here
On a desktop machine (x86-64, Debian or Ubuntu) with Google's edgetpu-compiler, beside that file:
  {done.command}
By the same rules its log names {rules["mapped"]} operations on the Edge TPU and {stays} on the CPU.
Bring the file that it writes back to the node, and there, as root (sudo):
  {done.back}"""


def adopted(done: Adopted) -> str:
    """Return where a compiler's file is now, and how it is used."""
    return f"""\
{done.path}: the form of {done.model.name} for an Edge TPU; its hash is in the manifest
A node that is started anew uses it where a Coral answers (runtime.delegate: auto or edgetpu):
  sudo systemctl restart edgehome
Is it good? As root, with the node stopped: edgehome doctor"""


def _use(path: Path) -> str:
    return f"Use it with these lines in config.yaml:\n  recognizer:\n    model: {path}"
