"""From snapshots to verdicts: nothing is printed here, and no file is read."""
