"""Fill the templates of pages: self-contained documents whose policy forbids all other content.

Titles and file names are hostile text: jinja2 escapes all of them, and the policy names the page's own
script by its hash, so that no other script runs.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import resources
from typing import Any

from melodysim._version import __version__
from melodysim.errors import MissingDependencyError


def rendered_page(
    template: str, script: str | tuple[str, ...], connect: str = "'none'", **values: Any
) -> str:
    """Fill a template and return the document.

    Parameters
    ----------
    template : str
        File of the folder ``templates`` beside this module, or ``package/file`` of another's.
    script : str or tuple of str
        Such files too; of several, one after another.
    connect : str, optional
        What the page's script may connect to: nothing, or the server that it came from.
    **values : Any
        What the template shows; only what is wrapped in ``markupsafe.Markup`` is taken as HTML.

    Raises
    ------
    MissingDependencyError
        If jinja2 is not installed.
    """
    templates = _templates()  # first: it says what is missing
    from markupsafe import Markup

    code = "\n".join(map(_file, (script,) if isinstance(script, str) else script))
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        f"img-src data:; connect-src {connect}; base-uri 'none'; form-action 'none'"
    )
    return templates.get_template(template).render(
        style=Markup(_file("style.css")),  # ours, without markup in it
        script=Markup(code),
        policy=policy,
        version=__version__,
        **values,
    )


def require_pages() -> None:
    """Raise `MissingDependencyError` if jinja2 is not installed."""
    _templates()


@functools.cache
def _templates() -> Any:
    try:
        import jinja2
    except ImportError as error:
        raise MissingDependencyError(
            "HTML reports need jinja2 and verovio: run `pip install 'melodysim[report]'`"
        ) from error
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_file),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@functools.cache
def _file(name: str) -> str:
    package, _, file = name.rpartition("/")
    folder = resources.files(package or "melodysim.report.html") / "templates"
    return (folder / file).read_text(encoding="utf-8")


def file_name(source: str) -> str:
    """Return the last part of a path, whichever system wrote it."""
    return source.replace("\\", "/").rsplit("/", 1)[-1]
