"""``melodysim doctor``."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path

import click

from melodysim._version import __version__
from melodysim.cli import options, terminal

_PACKAGES = {
    "numpy": ("always", ""),
    "numba": ("always", ""),
    "symusic": ("writing MIDI", ""),
    "music21": ("the built-in melodies", "pip install 'melodysim[score]'"),
    "soundfile": ("wav, flac, ogg, mp3", "pip install 'melodysim[audio]'"),
    "soxr": ("recordings", "pip install 'melodysim[audio]'"),
    "onnxruntime": ("recordings", "pip install 'melodysim[audio]'"),
    "melodysim-models": ("recordings: the networks", "pip install 'melodysim[audio]'"),
    "av": ("m4a, aac, webm", "pip install 'melodysim[m4a]'"),
    "matplotlib": ("--plot", "pip install 'melodysim[plot]'"),
    "librosa": ("--plot of a recording", "pip install 'melodysim[plot]'"),
    "jinja2": ("HTML reports", "pip install 'melodysim[report]'"),
    "verovio": ("HTML reports: the notation", "pip install 'melodysim[report]'"),
    "starlette": ("serve", "pip install 'melodysim[serve]'"),
    "uvicorn": ("serve", "pip install 'melodysim[serve]'"),
}
"""What each package is for, and how to get it."""


@click.command()
@options.library_option
@options.output_options("text", "json")
def command(library_path: Path | None, form: str, output: Path | None, quiet: bool) -> None:
    """Say what is installed, which formats and models work, and how to get the rest."""
    from melodysim import kernels
    from melodysim.errors import MelodysimError
    from melodysim.library.store import Store
    from melodysim.transcribe import accelerators
    from melodysim.transcribe.onnx_networks import available_accelerators, network_path

    packages = {}
    for name, (purpose, remedy) in _PACKAGES.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = None
        packages[name] = {"version": version, "for": purpose, "remedy": None if version else remedy}
    path = options.library_path_or_default(library_path)
    library: dict[str, object] = {"path": str(path)}
    try:
        with Store(path) as store:
            library["melodies"] = store.count()
    except MelodysimError as error:
        library["error"] = str(error)
    models = {}
    for name, network in (("notes", "basic_pitch"), ("voice", "fcpe"), ("separator", "spleeter")):
        try:
            models[name] = str(network_path(network))
        except MelodysimError as error:
            models[name] = str(error)
    runs_on, available = accelerators.chosen(), available_accelerators()
    if form == "json":
        from melodysim.report.json import installation_json

        answer = installation_json(
            platform.python_version(),
            packages,
            models,
            kernels.description(),
            {"chosen": runs_on, "available": available},
            library,
        )
        terminal.deliver(answer, output)
        return
    lines = [f"melodysim {__version__}, Python {platform.python_version()}", ""]
    for name, facts in packages.items():
        state = f"{facts['version']}" if facts["version"] else "missing"
        lines.append(f"  {name:<17}{state:<12}{facts['for']}")
        if facts["remedy"]:
            lines.append(f"  {'':<29}→ {facts['remedy']}")
    lines += ["", *(f"  {name + ' model':<17}{path}" for name, path in models.items())]
    lines += [f"  kernels          {kernels.description()}"]
    others = [name for name in available if name != runs_on]
    lines += [f"  networks on      {runs_on}" + (f"; also here: {', '.join(others)}" if others else "")]
    held = library.get("error") or f"{library['path']} ({library['melodies']:,} melodies)"
    lines += [f"  library          {held}"]
    terminal.deliver("\n".join(lines) + "\n", output)
