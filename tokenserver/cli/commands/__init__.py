"""What does each command do? One file per group that has something of its own; `building` makes the rest."""
