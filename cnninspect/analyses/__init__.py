"""What we conclude: pure functions from a trace to a report, without torch."""
