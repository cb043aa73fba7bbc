"""Sphinx configuration. The build needs no network."""

from __future__ import annotations

import re

from gaussequiv import __version__

project = "gaussequiv"
author = "The gaussequiv developers"
copyright = "The gaussequiv developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = False
default_role = "code"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {"ArrayLike": "ArrayLike", "FloatArray": "FloatArray"}
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_google_docstring = False
napoleon_numpy_docstring = True
napoleon_custom_sections = ["Result"]
napoleon_use_ivar = True  # attributes of a class become a list, so that fields are described once

html_theme = "furo"
html_title = f"gaussequiv {release}"


def _notes(lines: list[str]) -> list[str]:
    """Paragraphs after a list of parameters or returns, which napoleon would take for entries of it, become notes."""
    out: list[str] = []
    section = ""
    for i, line in enumerate(lines):
        following = lines[i + 1] if i + 1 < len(lines) else ""
        header = bool(line) and bool(following) and set(following) == {"-"}
        if header:
            section = line.strip()
        starts = bool(line) and not line.startswith(" ") and i > 0 and not lines[i - 1].strip()
        if starts and not header and section in ("Parameters", "Attributes", "Returns", "Raises"):
            section = "Notes"
            out += ["Notes", "-----"]
        out.append(line)
    return out


_ENTRY = re.compile(r"(\w+(?:, \w+)*) : (.*)")


def _fields(lines: list[str]) -> list[str]:
    """Errors "Name : when" in numpydoc's form, and returns that are one paragraph as such: napoleon would read every line as an entry."""
    out: list[str] = []
    i = 0
    while i < len(lines):
        if lines[i] not in ("Returns", "Raises") or i + 1 == len(lines) or set(lines[i + 1]) != {"-"}:
            out.append(lines[i])
            i += 1
            continue
        end = next((k for k in range(i + 2, len(lines)) if not lines[k]), len(lines))
        body = lines[i + 2 : end]
        found: list[str] = []
        if lines[i] == "Returns":
            if not any(line.startswith(" ") for line in body):
                found = ["Result", "------", *body]
        elif body and _ENTRY.match(body[0]):
            for line in body:
                match = _ENTRY.match(line)
                if match:
                    found += [match[1], "    " + match[2]]
                else:
                    found.append("    " + line.strip())
            found = ["Raises", "------", *found]
        out += found or lines[i:end]
        i = end
    return out


def _prepare(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Plain-text docstrings to reStructuredText: indented equations stay verbatim, bars are not substitutions."""
    lines[:] = _fields(_notes(lines))
    if what == "property" and lines:  # napoleon would read "tau: the noise" as a type and its description
        lines[0] = lines[0].replace(": ", " – ")
    out: list[str] = []
    prose = True  # before the first numpydoc section
    verbatim = False
    for i, line in enumerate(lines):
        following = lines[i + 1] if i + 1 < len(lines) else ""
        prose = prose and not (following and set(following) == {"-"})
        starts = prose and line.startswith("    ") and not (lines[i - 1].strip() if i else "")
        if starts and not verbatim:
            out += [".. code-block:: text", ""]
            verbatim = True
        elif verbatim and line and not line.startswith(" "):
            verbatim = False
        example = line.lstrip().startswith((">>>", "..."))
        out.append(line if verbatim or example else line.replace("|", "\\|"))
    lines[:] = out


def setup(app: object) -> dict[str, bool]:
    """Run before napoleon, which listens at the default priority."""
    app.connect("autodoc-process-docstring", _prepare, priority=100)  # type: ignore[attr-defined]
    return {"parallel_read_safe": True}


suppress_warnings = ["ref.python"]  # fields of the same name in several classes
