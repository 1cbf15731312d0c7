"""The only place where objects are built. Owns the real clock."""
