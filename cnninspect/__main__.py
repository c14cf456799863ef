"""`python -m cnninspect`."""

from cnninspect.commands import main

if __name__ == "__main__":
    main()
