"""The server's policy file: its text to a ServerPolicy, or to all that is wrong with it.

`bot.yaml_file` reads and reports; `readers` and `rules` say what may stand here; `build` gives the policy.
"""

from bot.policy_file.load import POLICY_FILE_LIMIT_BYTES, PolicyFileError, load_policy
from bot.policy_file.summary import describe_policy, repository_facts

__all__ = ["POLICY_FILE_LIMIT_BYTES", "PolicyFileError", "describe_policy", "load_policy", "repository_facts"]
