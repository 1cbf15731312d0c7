"""What the server's policy means for a run, a deployment, an override. It makes nothing weaker than `mlops.yaml` does.

Refusals are errors to be raised or shown, None where nothing is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

from bot.domain.errors import UserError
from bot.domain.glob import glob_matches
from bot.domain.project import Deploy, DeployEnvironment, Model, Resources, Step
from bot.domain.server_policy import RepositoryPolicy, is_group, normal_name
from bot.domain.words import listed, quoted

NOBODY = "(nobody)"  # stands where approvers are named and none is left, for without a name everybody could approve
USUAL_WAIVER = timedelta(days=30)
ASK = "Ask whoever runs this bot, or keep to it in mlops.yaml."

Notes = tuple[str, ...]


def rule_for(declared: DeployEnvironment, policy: RepositoryPolicy, environment: str) -> DeployEnvironment:
    """The environment's rule as it counts: the policy's approvers take the place of those that are declared."""
    asked = policy.environments.get(environment)
    if asked is None:
        return declared
    return replace(
        declared,
        approvals=max(declared.approvals, asked.approvals),
        approvers=declared.approvers if asked.approvers is None else asked.approvers or (NOBODY,),
        only_merged=declared.only_merged or asked.only_merged,
    )


def refusal_of_environment(environment: str, policy: RepositoryPolicy, rule: DeployEnvironment) -> UserError | None:
    """Whether nothing may be deployed there at all. `rule` is what `rule_for` gives."""
    allowed = policy.allowed_environments
    if allowed is not None and environment not in allowed:
        where = f"only to {listed(list(allowed))}" if allowed else "to no environment"
        return UserError(
            f"The server's policy lets this repository deploy {where}, and not to {quoted(environment)}.",
            "Choose another environment, or ask whoever runs this bot.",
        )
    if rule.approvals and NOBODY in rule.approvers:
        return UserError(
            f"Nobody may approve for {quoted(environment)}: the entries of the server's policy for this repository "
            "name different approvers.",
            "Ask whoever runs this bot to name the same ones.",
        )
    people = {normal_name(person) for person in rule.approvers}
    if people and rule.approvals > len(people) and not any(is_group(person) for person in people):
        return UserError(
            f"{quoted(environment)} needs {rule.approvals} approvals, and only {listed(list(rule.approvers))} may give "
            "one.",
            "Name more approvers where they are named, in mlops.yaml or in the server's policy.",
        )
    return None


def model_by_server(model: Model, policy: RepositoryPolicy, *, repository: str) -> tuple[Model, Notes]:
    """The model as it may run: with the secrets that its repository may have, and with limits where the policy has a
    ceiling and the model none. One sentence of Markdown for each thing that is not given."""
    kept = tuple(name for name in model.secrets if name in policy.secrets)
    refused = [name for name in model.secrets if name not in policy.secrets]
    notes: Notes = ()
    if refused:
        given, them = ("is not given", "it") if len(refused) == 1 else ("are not given", "them")
        why = f"the server's policy does not let {quoted(repository)} have {them}"
        notes = (f"{listed(refused)} {given} to this run: {why}.",)
    model = replace(
        model,
        secrets=kept,
        train=_limited(model.train, policy),
        evaluate=None if model.evaluate is None else _limited(model.evaluate, policy),
        deploy=None if model.deploy is None else deploy_by_server(model.deploy, policy),
    )
    return model, notes


def deploy_by_server(deploy: Deploy, policy: RepositoryPolicy) -> Deploy:
    """With limits for the model server where the policy has a ceiling."""
    return replace(deploy, resources=limited(deploy.resources, policy))


def limited(resources: Resources, policy: RepositoryPolicy) -> Resources:
    ceiling = policy.ceiling
    return replace(
        resources,
        cpu=resources.cpu or ceiling.cpu or 0.0,
        memory_bytes=resources.memory_bytes or ceiling.memory_bytes or 0,
    )


def refusal_of_run(model: Model, policy: RepositoryPolicy, *, engine: str) -> UserError | None:
    """Whether the model asks for more than the policy allows: engine, image, resources, in one go."""
    steps = {"train": model.train, "evaluate": model.evaluate}
    problems = [
        *_engine_problems(policy, engine),
        *_sagemaker_problems(model.train, policy),
        *_image_problems(model.environment.image, policy),
        *(
            problem
            for name, step in steps.items()
            if step is not None
            for problem in _resource_problems(f"{name}.resources", step.resources, policy)
        ),
    ]
    return UserError(" ".join(problems), ASK) if problems else None


def refusal_of_server(deploy: Deploy, policy: RepositoryPolicy) -> UserError | None:
    """Whether the model server asks for more than the policy allows."""
    problems = list(_resource_problems("deploy.resources", deploy.resources, policy))
    return UserError(" ".join(problems), ASK) if problems else None


def may_override(user: str, policy: RepositoryPolicy, *, is_member: Callable[[str, str], bool]) -> bool:
    """Of those who may write. `is_member` is asked with a group (`acme/ml-leads`) and the user."""
    if policy.override_by is None:
        return True
    people = [person for person in policy.override_by if not is_group(person)]
    if normal_name(user) in {normal_name(person) for person in people}:
        return True
    groups = [person.removeprefix("@") for person in policy.override_by if is_group(person)]
    return any(is_member(group, user) for group in groups)


def refusal_of_override(
    user: str, policy: RepositoryPolicy, *, is_member: Callable[[str, str], bool]
) -> UserError | None:
    if may_override(user, policy, is_member=is_member):
        return None
    named = listed(list(policy.override_by or ()))
    who = f"Only {named} may." if named else "Nobody may."
    return UserError(f"{quoted(user)} may not override gates here, by the server's policy. {who}", "Meet the gate.")


def waiver_lasts(policy: RepositoryPolicy) -> timedelta:
    if policy.override_for_s is None:
        return USUAL_WAIVER
    return min(USUAL_WAIVER, timedelta(seconds=policy.override_for_s))


def _limited(step: Step, policy: RepositoryPolicy) -> Step:
    return replace(step, resources=limited(step.resources, policy))


def _engine_problems(policy: RepositoryPolicy, engine: str) -> Iterator[str]:
    if policy.engines is not None and engine not in policy.engines:
        others = f"only on {listed(list(policy.engines))}" if policy.engines else "on none"
        yield f"The server's policy lets this repository run {others}, and the engine here is {quoted(engine)}."


def _sagemaker_problems(train: Step, policy: RepositoryPolicy) -> Iterator[str]:
    """Its image is one that runs, too."""
    if train.sagemaker is None:
        return
    if policy.engines is not None and "sagemaker" not in policy.engines:
        yield "The server's policy does not let this repository train on SageMaker."
    yield from _image_problems(train.sagemaker.image, policy)


def _image_problems(image: str, policy: RepositoryPolicy) -> Iterator[str]:
    """A name with `..` in it is none: a glob must not be walked out of."""
    is_odd = any(part in ("", ".", "..") for part in image.split("/"))
    for allowed in policy.images:
        if image and (is_odd or not any(glob_matches(pattern, image) for pattern in allowed)):
            which = listed(list(allowed)) or "none"
            yield f"The image {quoted(image, limit=200)} is not one that the server's policy allows ({which})."


def _resource_problems(place: str, resources: Resources, policy: RepositoryPolicy) -> Iterator[str]:
    ceiling = policy.ceiling
    if ceiling.cpu is not None and resources.cpu > ceiling.cpu:
        yield _too_much(f"{place}.cpu", f"{resources.cpu:g} cores", f"{ceiling.cpu:g}")
    if ceiling.memory_bytes is not None and resources.memory_bytes > ceiling.memory_bytes:
        yield _too_much(f"{place}.memory", _size(resources.memory_bytes), _size(ceiling.memory_bytes))
    if ceiling.gpu is not None and resources.gpu > ceiling.gpu:
        yield _too_much(f"{place}.gpu", f"{resources.gpu} GPU{'s' * (resources.gpu != 1)}", f"{ceiling.gpu}")


def _too_much(place: str, asked: str, most: str) -> str:
    return f"`{place}` asks for {asked}; the server's policy allows at most {most}."


def _size(size_bytes: int) -> str:
    unit_bytes, unit = (1024**3, "GiB") if size_bytes >= 1024**3 else (1024**2, "MiB")
    return f"{size_bytes / unit_bytes:.6g} {unit}"
