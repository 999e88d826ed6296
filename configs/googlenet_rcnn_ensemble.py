"""The entry as it was: six networks that start from the same weights and differ in what they were shown.

    python tools/train_ensemble.py configs/googlenet_rcnn_ensemble.py --amp
    python tools/test.py configs/googlenet_rcnn_ensemble.py work_dirs/googlenet_rcnn_ensemble/member_*/final.pth --amp

How the six were averaged is unspecified; here it is the mean of their softmax ("logits": the softmax of their mean
logits). A member alone is tested with googlenet_rcnn.py.
"""

_base_ = './googlenet_rcnn.py'

ensemble = dict(members=6, combine='scores', mirror=False)
