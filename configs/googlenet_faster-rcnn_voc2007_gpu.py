"""The last part of the training of the detector in checkpoints/, for a GPU: 16 images a step, as large as at the test.

Start it with --amp, several times with other seeds (--cfg-options randomness.seed=N); tools/publish_checkpoint.py
averages their weights.
"""

_base_ = 'googlenet_faster-rcnn_voc2007_finish.py'

load_from = 'work_dirs/googlenet_faster-rcnn_voc2007_finish/iter_4200.pth'
batch, steps = 16, 700
model = dict(
    train_cfg=dict(rpn=dict(sampler=dict(num=256)), rpn_proposal=dict(max_per_img=300), rcnn=dict(sampler=dict(num=96)))
)
train_dataloader = dict(
    batch_size=batch,
    num_workers=4,
    persistent_workers=True,
    dataset=dict(
        pipeline=[
            {{_base_.load}},
            {{_base_.annotations}},
            dict(type='BatchResize', sides=[400, 480, 560, 640], batch_size=batch),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackDetInputs'),
        ]
    ),
)
optim_wrapper = dict(optimizer=dict(lr=2e-4))
train_cfg = dict(max_iters=steps)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=steps, eta_min=1e-7),
]
default_hooks = dict(checkpoint=dict(interval=100))
# Batches have many shapes; a trial of each would take longer than it saves.
env_cfg = dict(cudnn_benchmark=False)
