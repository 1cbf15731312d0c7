"""Deployments: asked for, approved, registered, served, rolled back."""
