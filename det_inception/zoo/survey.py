"""Surveys MMDetection's configs, keeps what was found in a file, and writes it as a table.

A survey that is stopped goes on where it was: what the file has is not done again. What has failed is tried again.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from det_inception.utils.errors import InputError
from det_inception.utils.files import write_text
from det_inception.utils.tables import markdown_table
from det_inception.zoo.children import in_child
from det_inception.zoo.configs import ZooConfig, config_folder, parts_of, read_configs
from det_inception.zoo.pretended_gpu import PRETENDED
from det_inception.zoo.trial import build, run

PACKAGES = ('mmdet', 'mmengine', 'mmcv', 'mmcv-lite', 'torch', 'torchvision', 'numpy', 'transformers', 'mmpretrain')
RAN, PREDICTS = 'runs', 'predicts alone'


class Results:
    """What a survey has found, in a JSON file.

    Attributes:
        content: ``versions``; ``read``, errors by config; ``build`` and ``run``, results by the config that was built
            or run; ``same``, for each config the one that was run for it.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self.content = dict(versions={}, read={}, build={}, run={}, same={})
        if self.path.exists():
            try:
                content = json.loads(self.path.read_text())
                if content.keys() != self.content.keys():
                    raise ValueError('other keys')
            except (OSError, ValueError) as error:
                raise InputError(f'{path}: is no result of a survey; name another file, or remove it.') from error
            self.content = content
        self.content['versions'] = _versions()

    def save(self) -> None:
        write_text(self.path, json.dumps(self.content, indent=1), durable=False)


def survey(
    out: str | os.PathLike,
    patterns: Sequence[str] = (),
    *,
    build_only: bool = False,
    device: str = 'cpu',
    seconds: float = 180,
    memory: int = 8 << 30,
    progress: Callable[[str], None] = lambda line: None,
) -> Results:
    """Builds every config, then runs one of each group of models with the same parts, the smallest.

    Args:
        out: The file of results.
        patterns: Names such as ``'retinanet/*'``; empty: all.
        build_only: Run none.
        device: Where to run.
        seconds: Longest time for each.
        memory: Most memory for each, in bytes; a model on a GPU may take all.
        progress: Is called with a line for each.

    Raises:
        InputError: ``out`` is another file, or a pattern fits no config.
    """
    results = Results(out)
    content = results.content
    limits = dict(seconds=seconds, memory=memory, folder=str(config_folder().parent))
    groups: dict[str, list[ZooConfig]] = defaultdict(list)
    twins: dict[str, str] = {}
    for config in read_configs(patterns):
        if config.error is not None:
            content['read'][config.name] = config.error
            progress(f'{config.name}: cannot be read: {config.error}')
            continue
        content['read'].pop(config.name, None)
        key = json.dumps(config.model, sort_keys=True, default=str)
        first = twins.setdefault(key, config.name)
        if first != config.name:
            content['build'][config.name] = content['build'][first]
        elif _is_to_do(content['build'].get(first)):
            content['build'][first] = found = in_child(build, config.model, **limits)
            results.save()
            progress(f'{first}: {found.get("error") or "built"}')
        if 'error' not in content['build'][config.name]:
            groups[parts_of(config.model)].append(config)
    results.save()
    for group in [] if build_only else breadth_first(groups.values()):
        models = {config.name: config.model for config in group}
        smallest = min(group, key=lambda config: content['build'][config.name]['parameters'])
        tried = next((config.name for config in group if config.name in content['run']), smallest.name)
        if _is_to_do(content['run'].get(tried)):
            # CUDA reserves addresses for all the memory that there is.
            most = limits | dict(memory=memory if device in ('cpu', PRETENDED) else None)
            content['run'][tried] = in_child(run, models[tried], device, **most)
            found = content['run'][tried]
            progress(f'{tried}: {_outcome(found)} ({found.get("seconds", seconds)} s)')
        content['same'].update({config.name: tried for config in group})
        results.save()
    return results


def _is_to_do(result: Mapping | None) -> bool:
    return result is None or 'error' in result


def breadth_first(groups: Sequence[list[ZooConfig]]) -> list[list[ZooConfig]]:
    """Sorts groups: first one of each method, that is of each folder, then another of each, and so on."""
    seen, order = Counter(), []
    for group in groups:
        folder = group[0].name.split('/')[0]
        order.append((seen[folder], len(order), group))
        seen[folder] += 1
    return [group for *_, group in sorted(order, key=lambda item: item[:2])]


def state_of(name: str, content: Mapping) -> str:
    """Returns ``'runs'``, ``'builds'`` (none of its kind was run), what it does alone, or why a config fails."""
    if name in content['read']:
        return content['read'][name]
    if (error := content['build'][name].get('error')) is not None:
        return error
    tried = content['run'].get(content['same'].get(name))
    return 'builds' if tried is None else _outcome(tried)


def _outcome(result: Mapping) -> str:
    if 'error' in result and 'predict' in result.get('steps', ()):
        return f'{PREDICTS}; training: {result["error"]}'
    return result.get('error', RAN)


def needs_package(state: str) -> bool:
    """Whether a config fails for a package, such as transformers, that only some models need."""
    return re.search(r'[Nn]o module named|[Pp]lease (run|install)|not installed|mmpretrain', state) is not None


def write_table(results: Results, path: str | os.PathLike) -> None:
    """Writes the results as Markdown: all counts, a row for each method, and each reason to fail."""
    write_text(path, to_markdown(results.content))


def to_markdown(content: Mapping) -> str:
    """Returns the results as Markdown."""
    names = sorted({*content['read'], *content['build']})
    states = {name: state_of(name, content) for name in names}
    good = sum(state == RAN for state in states.values())
    built = sum('error' not in result for result in content['build'].values())
    counts = [
        ['', 'configs'],
        ['with a model', str(len(names))],
        ['can be read', str(len(content['build']))],
        ['can be built', str(built)],
        ['need a package that is not installed', str(sum(map(needs_package, states.values())))],
        ['run, they or another of the same parts', str(good)],
        ['likewise, but predict alone', str(sum(state.startswith(PREDICTS) for state in states.values()))],
    ]
    trials = content['run']
    whole = sum('error' not in result for result in trials.values())
    methods = [['method', 'configs', 'built', 'run', 'models tried', 'of them run']]
    for folder in sorted({name.split('/')[0] for name in names}):
        inside = [name for name in names if name.split('/')[0] == folder]
        tried = [trials[name] for name in inside if name in trials]
        methods.append(
            [
                folder,
                str(len(inside)),
                str(sum('error' not in content['build'].get(name, dict(error='')) for name in inside)),
                str(sum(states[name] == RAN for name in inside)),
                str(len(tried)),
                str(sum('error' not in result for result in tried)),
            ]
        )
    reasons: dict[str, list[str]] = defaultdict(list)
    for name, state in states.items():
        if state not in (RAN, 'builds'):
            reasons[state].append(name)
    failures = [['configs', 'the first', 'why']]
    for reason, where in sorted(reasons.items(), key=lambda item: -len(item[1])):
        failures.append([str(len(where)), f'`{where[0]}`', reason.replace('|', '\\|')])
    versions = ', '.join(f'{name} {value}' for name, value in content['versions'].items())
    return '\n'.join(
        [
            f'{versions}.',
            '',
            markdown_table(counts, numbers_from=1),
            '',
            f'{len(trials)} models of different parts were tried, and {whole} ran.',
            '',
            markdown_table(methods, numbers_from=1),
            '',
            markdown_table(failures) if reasons else 'None fails.',
            '',
        ]
    )


def _versions() -> dict[str, str]:
    found = dict(python=platform.python_version())
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except ImportError:
            continue
    return found
