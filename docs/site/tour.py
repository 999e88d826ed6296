"""Makes docs/tour.md and its pictures from examples/tour.ipynb: the notebook's text, its code and what the code shows.

python docs/site/tour.py
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK, PAGE, PICTURES = 'examples/tour.ipynb', 'docs/tour.md', 'images/tour'
NOTE = f'<!-- Made from {NOTEBOOK} by docs/site/tour.py: change the notebook, and run it. -->'


def make_page(notebook: str) -> dict[str, str]:
    """Runs a notebook, and returns the page and its pictures: to each file's name below ``docs/``, its text."""
    files: dict[str, str] = {}
    parts, names = [NOTE], {'__name__': 'tour'}
    for cell in json.loads(notebook)['cells']:
        text = ''.join(cell['source'])
        if cell['cell_type'] == 'markdown':
            parts.append(text.replace('](../docs/', ']('))
            continue
        parts.append(f'```python\n{text}\n```')
        value, printed = run_cell(text, names)
        if printed:
            parts.append(printed if printed[0] == '|' else f'```text\n{printed}\n```')
        if hasattr(value, '_repr_svg_'):
            name = f'{PICTURES}/{cell["id"].removesuffix("-picture")}.svg'
            files[name] = value._repr_svg_()
            title = re.search(r'<title>(.*?)</title>', files[name])[1]
            parts.append(f'![{title}]({name})')
        if len(parts) == 3:
            parts.insert(2, f'This page is also [a notebook](../{NOTEBOOK}) to run and to change.')
    files[Path(PAGE).name] = '\n\n'.join(parts) + '\n'
    return files


def run_cell(code: str, names: dict) -> tuple[object, str]:
    """Runs code as a notebook does, and returns the value of its last line, if that is an expression, and its print."""
    lines = ast.parse(code).body
    last = lines.pop() if isinstance(lines[-1], ast.Expr) else None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(ast.Module(lines, []), 'cell', 'exec'), names)
        value = eval(compile(ast.Expression(last.value), 'cell', 'eval'), names) if last else None
    return value, printed.getvalue().rstrip()


def main() -> None:
    from det_inception.utils.files import write_text

    for name, text in make_page((ROOT / NOTEBOOK).read_text(encoding='utf-8')).items():
        (ROOT / 'docs' / name).parent.mkdir(exist_ok=True)
        write_text(ROOT / 'docs' / name, text)


if __name__ == '__main__':
    main()
