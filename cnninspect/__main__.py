"""`python -m cnninspect`."""

from cnninspect.cli import main

if __name__ == "__main__":
    main()
