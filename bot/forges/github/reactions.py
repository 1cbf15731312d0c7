"""Reactions of the bot to comments. Through GraphQL, where one call puts one in the place of another, and which alone
has reactions to reviews."""

from __future__ import annotations

from collections import OrderedDict

from bot.domain.errors import UserError
from bot.domain.feedback import Reaction
from bot.forges.github.client import Client
from bot.forges.github.errors import Refused
from bot.forges.github.fields import mapping, mappings, text
from bot.forges.github.people import CommentKind, parse_comment_id

_CONTENTS = {Reaction.SEEN: "EYES", Reaction.DONE: "THUMBS_UP", Reaction.REFUSED: "THUMBS_DOWN"}
_REMEMBERED = 10_000
_SHOW = """
  show: addReaction(input: {subjectId: $comment, content: $shown}) {
    subject { reactionGroups { content viewerHasReacted } }
  }"""
_HIDE = """
  hide%(number)d: removeReaction(input: {subjectId: $comment, content: $hidden%(number)d}) { clientMutationId }"""


class Reactions:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._nodes: OrderedDict[str, str] = OrderedDict()
        self._shown: OrderedDict[str, str] = OrderedDict()

    def remember(self, comment_id: str, node_id: str) -> None:
        if node_id:
            _keep(self._nodes, comment_id, node_id)

    def show(self, full_name: str, number: int, comment_id: str, reaction: Reaction) -> None:
        content = _CONTENTS[reaction]
        former = self._shown.get(comment_id)
        if former == content:
            return
        node_id = self._node(full_name, number, comment_id)
        hidden = [former] if former else []
        try:
            others = self._send(full_name, node_id, content, hidden)
        except Refused:
            if not hidden:
                raise
            others = self._send(full_name, node_id, content, [])  # somebody took the former one away
        _keep(self._shown, comment_id, content)
        if others:  # from before this process
            self._send(full_name, node_id, content, others)

    def _send(self, full_name: str, node_id: str, content: str, hidden: list[str]) -> list[str]:
        """Gives those of our other reactions that are there still."""
        declared = "".join(f", $hidden{number}: ReactionContent!" for number in range(len(hidden)))
        hides = "".join(_HIDE % {"number": number} for number in range(len(hidden)))
        query = f"mutation($comment: ID!, $shown: ReactionContent!{declared}) {{{hides}{_SHOW}\n}}"
        variables = {"comment": node_id, "shown": content} | {
            f"hidden{number}": name for number, name in enumerate(hidden)
        }
        answer = self._client.graphql(full_name, "reaction", query, variables)
        groups = mappings(mapping(answer, "show", "subject"), "reactionGroups")
        ours = {text(group, "content") for group in groups if group.get("viewerHasReacted") is True}
        return sorted(ours & (set(_CONTENTS.values()) - {content}))

    def _node(self, full_name: str, number: int, comment_id: str) -> str:
        known = self._nodes.get(comment_id)
        if known is not None:
            return known
        parsed = parse_comment_id(comment_id)
        if parsed is None:
            raise UserError(f"There is no comment {comment_id} on change {number} of {full_name}.")
        kind, id_ = parsed
        paths = {
            CommentKind.CONVERSATION: f"/repos/{full_name}/issues/comments/{id_}",
            CommentKind.DIFF: f"/repos/{full_name}/pulls/comments/{id_}",
            CommentKind.REVIEW: f"/repos/{full_name}/pulls/{number}/reviews/{id_}",
        }
        answer = self._client.ask(full_name, "comment", "GET", paths[kind])
        node_id = text(answer.data, "node_id") if isinstance(answer.data, dict) else ""
        _keep(self._nodes, comment_id, node_id)
        return node_id


def _keep(remembered: OrderedDict[str, str], name: str, value: str) -> None:
    remembered[name] = value
    remembered.move_to_end(name)
    while len(remembered) > _REMEMBERED:
        remembered.popitem(last=False)
