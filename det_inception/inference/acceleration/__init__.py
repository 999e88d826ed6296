"""Faster ways to run the region classifier of a trained detector.

========== ==========================================================================================
engine     what runs
========== ==========================================================================================
eager      the network as it was trained
fused      a copy in channels-last layout whose batch norms are part of the convolutions
compile    the fused copy through ``torch.compile``
openvino   the fused copy through OpenVINO's CPU plug-in (``pip install det_inception[openvino]``)
========== ==========================================================================================

Each runs in float32 or in half the bits: bfloat16, or float16 on a GPU that has no bfloat16. OpenVINO can also quantize
to 8 bits. What that costs in mAP must be measured, so it is never chosen by itself.

An engine is a class in a file of its own and a line in :data:`~det_inception.inference.acceleration.engines.ENGINES`:
built from a model and a precision, called with regions.
"""

from det_inception.inference.acceleration.engines import ENGINES, PRECISIONS, accelerate, make_engine

__all__ = ['ENGINES', 'PRECISIONS', 'accelerate', 'make_engine']
