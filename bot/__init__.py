"""A webhook service that trains, evaluates and deploys models at the pushed commit."""
