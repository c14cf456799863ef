"""Reads ONNX files and follows their graphs into a trace, without torch and without weights.

In reading order:

* `protobuf`         the bytes of a file, with the values of large tensors left out
* `reading`          from a file to a model that may be trusted to be one; weights beside it
* `values`           what is known of a tensor on its way through the graph
* `graph_inputs`     the inputs, their values, and the sizes of axes that the file leaves open
* `operator_shapes`  what each operator gives: rules of our own
* `evaluation`       small values, computed
* `inference`        all of that for one node; what has no rule is asked of `inference_process`
* `stated_shapes`    what the file itself states of shapes
* `scope`            which names the walk can see
* `node_layers`      which layer a node belongs to
* `weights`          what becomes of each stored tensor, and `ownership`: who owns which
* `graph_walk`       the walk through the nodes
* `loops`, `control_flow`   graphs within nodes: what runs again and again, branches, functions
* `layers`           the layers, from the calls that say where they are
* `tracing`          all of it together
"""
