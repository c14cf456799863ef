"""What is remembered, and the worker processes that measure many models."""
