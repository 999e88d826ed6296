"""Processes that a scheduler starts."""

import os

import pytest
from mmengine.config import Config

from det_inception.config.loading import ConfigError
from det_inception.engine.distributed import first_node, join_processes, name_meeting_place

STEP = dict(JOB_ID='4711', STEP_ID='0', PROCID='3', NTASKS='8', LOCALID='1', STEP_NODELIST='gpu[003-004]')


@pytest.fixture
def environment(monkeypatch):
    """An environment of its own without Slurm's variables, in which those that are set disappear again."""
    free = {key: value for key, value in os.environ.items() if not key.startswith(('SLURM_', 'MASTER_'))}
    monkeypatch.setattr(os, 'environ', free)
    return free


@pytest.mark.parametrize(
    ('nodes', 'first'),
    [('vm', 'vm'), ('a1,b2', 'a1'), ('gpu[003-007,012],big1', 'gpu003'), ('gpu[12,14]', 'gpu12'), ('n-1-[5]', 'n-1-5')],
)
def test_first_node(nodes, first):
    assert first_node(nodes) == first


def test_slurm_names_rank_and_meeting_place(environment):
    environment.update({f'SLURM_{key}': value for key, value in STEP.items()})
    name_meeting_place()
    wanted = dict(RANK='3', WORLD_SIZE='8', LOCAL_RANK='1', MASTER_ADDR='gpu003')
    assert {key: environment[key] for key in wanted} == wanted
    port = environment.pop('MASTER_PORT')
    environment.update(SLURM_JOB_ID='4712', SLURM_PROCID='0')
    name_meeting_place()
    assert environment['RANK'] == '0' and environment['MASTER_PORT'] != port


def test_a_named_meeting_place_stays(environment):
    environment.update(
        {f'SLURM_{key}': value for key, value in STEP.items()}, MASTER_ADDR='10.0.0.7', MASTER_PORT='29999'
    )
    name_meeting_place()
    assert (environment['MASTER_ADDR'], environment['MASTER_PORT']) == ('10.0.0.7', '29999')


def test_without_srun(environment):
    environment['SLURM_JOB_ID'] = '4711'
    with pytest.raises(ConfigError, match='srun has not started this process .*SLURM_STEP_ID'):
        join_processes(Config(dict(launcher='slurm')))
