"""Reads ONNX files and follows their graphs into a trace, without torch and without weights.

In reading order:

* `protobuf`         the bytes of a file, with the values of large tensors left out
* `reading`          from a file to a model that may be trusted to be one; weights beside it
* `stored_values`    values of single large tensors, looked at after all
* `values`           what is known of a tensor on its way through the graph, and what a file states
* `graph_inputs`     the inputs, their values, and the sizes of axes that the file leaves open
* `operator_shapes`  what each operator gives: rules of our own
* `evaluation`       small values, computed
* `inference`        all of that for one node; what has no rule is asked of `inference_process`
* `scope`            which names the walk can see
* `weights`          what becomes of each stored tensor
* `node_layers`      which layer a node belongs to, and which stored tensors a layer owns
* `graph_walk`       the walk through the nodes
* `loops`, `control_flow`   graphs within nodes: what runs again and again, branches, functions
* `layers`           the layers, from the calls that say where they are
* `tracing`          all of it together
"""
