"""What all experiments share: the project itself, loops of the tests, log, seed."""

custom_imports = dict(
    imports=['det_inception.models', 'det_inception.datasets', 'det_inception.evaluation', 'det_inception.engine'],
    allow_failed_imports=False,
)
default_scope = 'mmdet'

default_hooks = dict(
    logger=dict(type='LoggerHook', interval=20),
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=3, save_best='auto', rule='greater'),
    divergence=dict(type='StopOnDivergenceHook'),
    resume_settings=dict(type='ResumeSettingsHook'),
)
custom_hooks = [dict(type='BackboneNormalizationHook'), dict(type='TransferHeadHook')]
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
env_cfg = dict(cudnn_benchmark=True, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
# Without a name of its own: a second run in the same process writes into its own folder, not into the first one's.
visualizer = dict(type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
randomness = dict(seed=2014)
