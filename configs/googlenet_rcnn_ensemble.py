"""The entry as it was: six networks that start from the same weights and differ in what they were shown.

tools/train_ensemble.py trains them. The paper does not say how they were averaged; here it is the mean of their
softmax ("logits": the softmax of their mean logits).
"""

_base_ = 'googlenet_rcnn.py'

ensemble = dict(members=6, combine='scores', mirror=False)
