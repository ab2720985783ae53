"""``python -m deepfake_ssat``: the same as the command ``deepfake-ssat``."""

from deepfake_ssat.cli import main

if __name__ == "__main__":
    main()
