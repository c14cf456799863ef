"""What touches tensors: tracing without computing, real passes, ONNX graphs and export."""
