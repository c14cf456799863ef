"""A page of HTML that is one file: its own styles and scripts, and no request to anywhere."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256

from cnninspect.page.escaping import html_text

STYLE = """
:root{color-scheme:light dark;--ink:#1f2937;--faint:#5b6472;--paper:#fff;--line:#cbd5e1;
 --frame:#f4f6f9;--edge:#64748b;--accent:#1d4ed8;--stripe:#f8fafc}
@media (prefers-color-scheme:dark){:root{--ink:#e5e7eb;--faint:#a3adba;--paper:#14181f;
 --line:#3b4454;--frame:#1d232d;--edge:#8fa0b5;--accent:#7aa7ff;--stripe:#1a2029}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1500px;padding:1rem;background:var(--paper);color:var(--ink);
 font:15px/1.45 system-ui,"Segoe UI",Helvetica,Arial,sans-serif}
a{color:var(--accent)}
h1{font-size:1.5rem;margin:.2rem 0}
h2{font-size:1.2rem;margin:1.6rem 0 .4rem}
button,input,select{font:inherit;color:inherit;background:var(--paper);
 border:1px solid var(--line);border-radius:6px;padding:.15rem .5rem}
:focus-visible{outline:2px solid var(--accent);outline-offset:1px}
.faint{color:var(--faint)}
@media print{:root{color-scheme:light}body{max-width:none;font-size:10pt}}
"""


def write_document(
    title: str,
    body: str,
    *,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    sets_styles: bool = False,
) -> str:
    """A whole page; `body` is HTML, `title` is text.

    A Content-Security-Policy in it allows these very styles and scripts and nothing else: whatever
    else might get into the page can neither run nor ask for anything.  `sets_styles` lets scripts
    add styles, as plotly does; those cannot ask for anything either.
    """
    css = "".join([STYLE, *styles])
    # A browser takes away nothing: what is hashed is what stands between the tags.
    allowed = " ".join(f"'sha256-{_hash(script)}'" for script in scripts) or "'none'"
    styled = "'unsafe-inline'" if sets_styles else f"'sha256-{_hash(css)}'"
    policy = (
        f"default-src 'none'; style-src {styled}; script-src {allowed}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    tags = "".join(f"<script>{script}</script>\n" for script in scripts)
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html_text(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{html_text(title)}</title>\n<style>{css}</style>\n</head>\n"
        f"<body>\n{body}{tags}</body>\n</html>\n"
    )


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()
