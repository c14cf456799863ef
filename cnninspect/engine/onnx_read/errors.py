"""What is raised while a file is read, before it is known which file that was."""

from __future__ import annotations


class Malformed(Exception):
    """The file is not ONNX, or its graph makes no sense.  Says why, in half a sentence."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.hint = hint


class TooMuch(Malformed):
    """Following the graph would not come to an end in good time."""


class NodeFails(Malformed):
    """A node does not fit the tensors that it gets."""

    def __init__(self, problem: str, *, layer: str, op: str, got: str = "") -> None:
        super().__init__(problem)
        self.assumed = ""
        """Sizes of the inputs that nobody asked for."""
        self.layer = layer
        """Path of the layer that the node belongs to."""
        self.op = op
        """What it is."""
        self.got = got
        """The shapes of its inputs, as a user reads them."""
