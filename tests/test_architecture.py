"""The plan of the house: which room may import which, and what may lie where. Read from the source, nothing is run."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / 'det_inception'
ROOMS = (
    '__main__',
    'cli',
    'inference',
    'engine',
    'config',
    'evaluation',
    'validation',
    'datasets',
    'models',
    'weights',
    'registry',
    'zoo',
    'compat',
    'proposals',
    'ilsvrc',
    'mini_set',
    'formats',
    'utils',
    'version',
)
"""From the top of the house to the ground; an import points down this list."""

GROUND_FLOOR = ('proposals', 'ilsvrc', 'mini_set', 'formats', 'utils')
GROUND_LIBRARIES = {'numpy', 'scipy', 'numba', 'cv2', 'h5py', 'tqdm', 'PIL', 'yaml', 'platformdirs', 'rich'}
LOOSE = {'__init__.py', '__main__.py', 'version.py', 'registry.py', 'py.typed'}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob('*.py'))}


def imports_of(name: str) -> list[tuple[str, int, bool]]:
    """What a module imports, also inside functions: (module, line, whether at import time)."""
    tree = ast.parse(MODULES[name].read_text())
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno, id(node) not in inside) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f'{name}:{node.lineno}: a relative import'
            for alias in node.names:
                deeper = f'{node.module}.{alias.name}'
                found.append((deeper if deeper in MODULES else node.module, node.lineno, id(node) not in inside))
    return found


def room_of(module: str) -> str | None:
    parts = module.split('.')
    return parts[1] if parts[0] == 'det_inception' and len(parts) > 1 else None


def test_nothing_lies_loose():
    assert {path.name for path in PACKAGE.iterdir() if path.is_file()} <= LOOSE
    assert {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.rglob('*.py'))} == set(ROOMS) - {
        '__main__',
        'registry',
        'version',
    }


@pytest.mark.parametrize('module', [name for name in MODULES if room_of(name)])
def test_an_import_points_down(module):
    own = ROOMS.index(room_of(module))
    for imported, line, _ in imports_of(module):
        if (room := room_of(imported)) is not None:
            assert ROOMS.index(room) >= own, f'{module}:{line} imports {imported}, which is above it'


def test_no_circle_of_imports():
    graph = {name: {imported for imported, _, _ in imports_of(name) if imported in MODULES} for name in MODULES}
    for name, imported in graph.items():
        # A package's own __init__ gathers its modules; a module that imports from its package goes in a circle.
        imported.discard('det_inception')
        imported.discard(name)
    state: dict[str, int] = {}

    def visit(name: str, path: list[str]) -> None:
        state[name] = 1
        for imported in sorted(graph[name]):
            assert state.get(imported) != 1, 'a circle: ' + ' -> '.join([*path[path.index(imported) :], imported])
            if imported not in state:
                visit(imported, [*path, imported])
        state[name] = 2

    for name in graph:
        if name not in state:
            visit(name, [name])


@pytest.mark.parametrize('module', [name for name in MODULES if room_of(name) in GROUND_FLOOR])
def test_the_ground_floor_is_light(module):
    import sys

    for imported, line, at_import in imports_of(module):
        top = imported.split('.')[0]
        if top != 'det_inception' and top not in sys.stdlib_module_names:
            heavy = {'torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet'}
            assert top in GROUND_LIBRARIES or not (at_import or top in heavy), f'{module}:{line} imports {imported}'


@pytest.mark.parametrize('module', [name for name in MODULES if room_of(name) == 'cli'])
def test_a_command_imports_late(module):
    import sys

    for imported, line, at_import in imports_of(module):
        light = imported.split('.')[0] in sys.stdlib_module_names or imported.startswith(
            ('det_inception.cli', 'det_inception.utils.errors', 'det_inception.utils.terminal', 'det_inception.version')
        )
        assert light or not at_import, f'{module}:{line} imports {imported} before it has parsed its arguments'


def test_albumentations_is_imported_where_it_is_used():
    for module in MODULES:
        for imported, line, at_import in imports_of(module):
            assert not (at_import and imported.split('.')[0] == 'albumentations'), f'{module}:{line}'


def test_the_walk_sees_what_it_should(tmp_path, monkeypatch):
    """The tests above would fail: an import upward, inside a function, and a circle are seen."""
    package = tmp_path / 'det_inception'
    for room in ('utils', 'models'):
        (package / room).mkdir(parents=True)
        (package / room / '__init__.py').write_text('')
    (package / 'utils/low.py').write_text('def f():\n    from det_inception.models import high\n')
    (package / 'models/high.py').write_text('import det_inception.utils.low\n')
    monkeypatch.setitem(globals(), 'PACKAGE', package)
    modules = {module_name(path): path for path in package.rglob('*.py')}
    monkeypatch.setitem(globals(), 'MODULES', modules)
    with pytest.raises(AssertionError, match='above it'):
        test_an_import_points_down('det_inception.utils.low')
    with pytest.raises(AssertionError, match='a circle'):
        test_no_circle_of_imports()
