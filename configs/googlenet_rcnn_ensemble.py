"""The entry as it was: six networks that start from the same weights and differ in what they were shown."""

_base_ = 'googlenet_rcnn.py'

ensemble = dict(members=6, combine='scores', mirror=False)
