"""Files of weights: their tables of tensors, read without unpickling and without torch.

In reading order: `reading` tells what a file is and finds its reader; `safetensors_files` and
`torch_files` (with `zip_archive`) know the formats; `pickles` turns a pickle into plain data,
`torch_symbols` finds tensors in that, and `contents` makes the table, checked against the file.
"""

from cnninspect.checkpoints.reading import kind_of, read_checkpoint

__all__ = ["kind_of", "read_checkpoint"]
