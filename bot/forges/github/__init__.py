"""GitHub: pull requests are changes; told by webhooks, read and answered through its API as an App, or with a token."""
