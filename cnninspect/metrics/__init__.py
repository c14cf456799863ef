"""What several questions measure on a trace; standard library only, no torch."""
