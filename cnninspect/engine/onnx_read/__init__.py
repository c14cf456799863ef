"""Reads ONNX files and follows their graphs into a trace, without torch and without weights.

In reading order:

* `wire`        the bytes of a file, with the values of large tensors left out
* `reading`     from a file to a model that may be trusted to be one
* `external`    weights in files beside it
* `values`      what is known of a tensor on its way through the graph
* `sizes`       the inputs, and the sizes of axes that the file leaves open
* `inference`   what a node gives: types and shapes by ONNX's own rules, small values by computing
* `scopes`      which layer a node belongs to
* `following`   the walk through the nodes, with `control_flow` and `functions`
* `ownership`   which layer owns which weights
* `tracing`     all of it together
"""

from __future__ import annotations
