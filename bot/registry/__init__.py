"""Versions and assignments as GTO-format tags."""
