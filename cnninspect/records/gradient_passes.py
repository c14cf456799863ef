"""What one forward and backward pass leaves behind: numbers, and no tensors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WeightedLayer:
    """A layer that multiplies by weights: a convolution, a linear or recurrent layer, a look-up."""

    path: str
    """Names from the model down."""
    type: str
    """Class name."""
    parameters: tuple[str, ...]
    """Full names of its parameters."""


@dataclass(frozen=True, slots=True)
class Norms:
    """The sizes of a layer's tensors: L2 norms, and root mean squares of their elements.

    None where there is no such tensor: a frozen layer's gradient, the gradient at an output
    that nothing trainable lies under.
    """

    activation_norm: float | None = None
    """Of its output; of several, the first; over all calls of the layer."""
    activation_rms: float | None = None
    activation_gradient_norm: float | None = None
    """Of the loss's gradient at that output."""
    activation_gradient_rms: float | None = None
    activation_gradient_zeros: float | None = None
    """Share of that gradient's elements that are exactly 0."""
    gradient_norm: float | None = None
    """Of the gradients of all its trainable parameters together."""
    gradient_rms: float | None = None
    gradient_zeros: float | None = None
    """Share of their elements that are exactly 0."""
    parameter_norm: float | None = None
    """Of its parameters themselves, frozen ones included."""


@dataclass(frozen=True, slots=True)
class LayerPass:
    """One layer in one pass."""

    path: str
    type: str
    calls: int
    """How often it ran in this pass."""
    parameters: int
    """Elements of its parameters."""
    trainable: int
    """Those of them that receive gradients."""
    norms: Norms


@dataclass(frozen=True, slots=True)
class StatePass:
    """The gradient at one state of a recurrent layer, step by step, in one pass."""

    path: str
    """Path of the recurrent module."""
    layer: int
    """Which of its stacked layers, from 0."""
    is_backward: bool
    """Whether it reads from the end."""
    state: str
    """`hidden` or `cell`."""
    norms: tuple[float, ...]
    """L2 norm of the loss's gradient at the state after each time step, in the order of time."""


@dataclass(frozen=True, slots=True)
class GradientPass:
    """One forward and backward pass of a model."""

    seed: int
    batch: int
    """Number of the batch, from 0."""
    step: int
    """Updates made before it."""
    loss: float
    layers: tuple[LayerPass, ...]
    """In the order of execution."""
    states: tuple[StatePass, ...] = ()
    gradient_norm: float = 0.0
    """Of the gradients of all trainable parameters together."""
