"""The last steps of googlenet_faster-rcnn_voc2007.py: nearly the test's size, and a rate that falls to 0."""

_base_ = 'googlenet_faster-rcnn_voc2007.py'

load_from = 'work_dirs/googlenet_faster-rcnn_voc2007/iter_7400.pth'
sides = [320, 352, 384, 416, 448, 480]
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            {{_base_.load}},
            {{_base_.annotations}},
            dict(type='BatchResize', sides=sides, batch_size=2),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackDetInputs'),
        ]
    )
)
train_cfg = dict(max_iters=1000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=1000, eta_min=1e-7),
]
randomness = dict(seed=2016)
