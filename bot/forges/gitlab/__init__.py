"""GitLab: merge requests are changes; told by webhooks, read and answered through its REST API with one token."""
