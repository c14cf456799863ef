"""The vocabulary: frozen records that every other part of the package speaks in.

Read this package first.  Nothing here computes, prints or imports anything but the standard
library; shapes are tuples, dtypes and operation names are strings.  In reading order:

* `tensors`     TensorSpec, NamedTensor: the shape and dtype of a tensor
* `operations`  Operation, Call: a kind of work, and one occurrence of it
* `layers`      Parameter, Buffer, Layer: a module and what it owns
* `traces`      Trace: one run of a network, written down
* `costs`       Cost, CostState, Costed: what an operation costs
* `models`      Reference, InputRequest, LoadedModel: what a user named
* `entries`     Setting, ModelEntry: what can be named
* `reports`     Report: what every report can do
* `summary`     Summary: the answer of `cnninspect summary`
* `listing`     Listing: the answer of `cnninspect list`
* `explanation` Explanation: the answer of `cnninspect explain`
"""
