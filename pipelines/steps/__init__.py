"""What the steps do, as ordinary code. Imports are few and late, since each step is a process."""
