"""What concerns every command: references, inputs, formats, exit codes, environment, defaults."""
