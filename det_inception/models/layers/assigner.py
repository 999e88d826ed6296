"""Assigning regions to objects where some objects count neither way."""

from __future__ import annotations

from mmdet.models.task_modules.assigners import AssignResult, MaxIoUAssigner
from mmengine.structures import InstanceData

from det_inception.registry import TASK_UTILS


@TASK_UTILS.register_module()
class IgnoringMaxIoUAssigner(MaxIoUAssigner):
    """MMDetection's :class:`MaxIoUAssigner`, which also ignores where an image has nothing but objects to ignore.

    A region of which more than ``ignore_iof_thr`` lies inside a difficult object or a crowd is neither an object nor
    background. MMDetection's own makes all regions of an image background that has no other objects.
    """

    def assign(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        gt_instances_ignore: InstanceData | None = None,
        **kwargs,
    ) -> AssignResult:
        """Returns for each of N regions the object that it shows, counted from 1; 0: background, -1: neither."""
        result = super().assign(pred_instances, gt_instances, gt_instances_ignore, **kwargs)
        priors = pred_instances.priors
        if self.ignore_iof_thr > 0 and gt_instances_ignore is not None and not len(gt_instances) and len(priors):
            ignored = gt_instances_ignore.bboxes
            if len(ignored):
                inside = self.iou_calculator(priors, ignored, mode='iof').max(dim=1).values
                result.gt_inds[inside > self.ignore_iof_thr] = -1
        return result
