"""The proposal method that command-line options describe."""

from __future__ import annotations

import ast
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from det_inception.proposals.errors import ProposalError
from det_inception.proposals.methods import (
    DEFAULT_METHOD,
    PROPOSAL_METHODS,
    ProposalMethod,
    build_method,
    with_options,
)


def chosen_method(options: Namespace, method_of_detector: Callable[[str], dict]) -> ProposalMethod:
    """Builds the method that the options describe; each option is an argument of the method or of one of its parts.

    Args:
        options: What ``det-inception propose`` was given.
        method_of_detector: Reads the dict of a method from the config of a detector.

    Raises:
        InputError: The options do not fit the method, or it cannot be built.
    """
    settings = settings_of(options, method_of_detector)
    named = dict(
        mode=options.mode,
        width=options.width,
        min_size=options.min_size,
        number=options.multibox_boxes,
        device=options.device,
        amp=options.amp,
        batch_size=options.batch_size,
    )
    if options.method is not None:
        named.update(config=options.config, checkpoint=options.checkpoint)
    elif options.checkpoint is not None:
        raise ProposalError('--checkpoint is of a MultiBox; give --method multibox or mixed with it.')
    named = {name: value for name, value in named.items() if value is not None}
    return build_method(with_options(settings, named | method_options(options.method_options)))


def settings_of(options: Namespace, method_of_detector: Callable[[str], dict]) -> dict:
    """Returns the dict of the method, before the other options change it."""
    if options.method is None:
        return DEFAULT_METHOD if options.config is None else method_of_detector(options.config)
    wanted = options.method.replace('_', '').lower().removesuffix('ed')
    name = next((name for name in PROPOSAL_METHODS if name.lower().removesuffix('ed') == wanted), options.method)
    if name in ('MultiBox', 'Mixed') and not (options.config and options.checkpoint):
        raise ProposalError(f'--method {options.method} needs a trained MultiBox; give its --config and --checkpoint.')
    if name == 'Mixed':
        return dict(type=name, first=dict(type='MultiBox'), second=dict(type='SelectiveSearch', mode='ilsvrc2014'))
    return dict(type=name)


def method_options(words: list[str]) -> dict[str, Any]:
    """Reads KEY=VALUE, where a value is a Python literal or else a text."""
    options = {}
    for word in words:
        name, sign, value = word.partition('=')
        if not sign:
            raise ProposalError(f'--method-options {word}: is not KEY=VALUE, such as mode=fast.')
        try:
            options[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[name] = value
    return options
