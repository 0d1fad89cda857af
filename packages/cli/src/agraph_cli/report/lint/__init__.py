"""How findings of the lint are told: one format a file, and the table of them in `formats`."""
