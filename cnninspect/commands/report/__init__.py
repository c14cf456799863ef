"""What is known of models, on one page; `gathering.report` is the Python function."""
