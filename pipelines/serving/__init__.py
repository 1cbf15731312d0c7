"""A model server on this machine: what the bot starts for each revision that serves, and what it starts in turn."""
