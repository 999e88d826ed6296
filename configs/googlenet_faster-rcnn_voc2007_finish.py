"""The last steps of googlenet_faster-rcnn_voc2007.py: regions and sizes of images like the test's, then a falling rate.

Before, an image has 20 regions out of its best 500, of which most are plain background. Here it has 40 out of the 200
that a test looks at: those on objects are shared out evenly between the objects, half of the background by overlap.
"""

_base_ = 'googlenet_faster-rcnn_voc2007.py'

load_from = 'work_dirs/googlenet_faster-rcnn_voc2007/iter_7400.pth'
sampler = dict(
    _delete_=True,
    type='CombinedSampler',
    num=40,
    pos_fraction=0.4,
    add_gt_as_proposals=True,
    pos_sampler=dict(type='InstanceBalancedPosSampler'),
    neg_sampler=dict(type='IoUBalancedNegSampler', floor_thr=-1, floor_fraction=0, num_bins=6),
)
model = dict(train_cfg=dict(rpn_proposal=dict(nms_pre=1000, max_per_img=200), rcnn=dict(sampler=sampler)))
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            {{_base_.load}},
            {{_base_.annotations}},
            dict(type='BatchResize', sides=[288, 352, 416, 480], batch_size=2),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackDetInputs'),
        ]
    )
)
train_cfg = dict(max_iters=4200)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=3000, end=4200, eta_min=1e-7),
]
randomness = dict(seed=2017)
