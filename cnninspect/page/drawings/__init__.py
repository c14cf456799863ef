"""Drawings of dataflow: boxes and arrows with their places, and the files they are written to."""
