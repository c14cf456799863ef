"""Writes a network as an ONNX file that proves itself.

In reading order:

* `preparing`     the network for real: weights, dtype, inputs
* `axes`          which axes are left open, and inputs of any size along them
* `recurrence`    recurrent layers as one node each, whatever the length
* `exporting`     torch's exporters, kept quiet
* `annotation`    layer, parameters and MACs in each node; what gives the author's machine away out
* `writing`       into place only once it is right
* `verification`  onnxruntime against torch
* `bisection`     the first layer that differs
* `making`        all of it together
"""

from __future__ import annotations
