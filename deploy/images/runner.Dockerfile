# Where pipelines' steps run on a cluster: the steps' own code, git, DVC and uv, which makes each model's environment.
# A model with an image of its own (`environment.image`) needs these in that image: build it FROM this one.
# Built at the top of the checkout: `make images`. For the base by its digest, see bot.Dockerfile.
ARG PYTHON_IMAGE=python:3.11-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1
WORKDIR /src
COPY pyproject.toml constraints.txt ./
RUN python -m venv --without-pip /opt/mlops-bot \
    && pip install --no-cache-dir --constraint constraints.txt uv \
    && uv pip install --python /opt/mlops-bot/bin/python --constraints constraints.txt --group runner
COPY pipelines /opt/mlops-bot/code/pipelines
RUN /opt/mlops-bot/bin/python -c "import pathlib, sysconfig; pathlib.Path(sysconfig.get_path('purelib'), 'mlops-bot.pth').write_text('/opt/mlops-bot/code')" \
    && /opt/mlops-bot/bin/python -m compileall -q /opt/mlops-bot/code

FROM ${PYTHON_IMAGE}
# libgomp1: LightGBM and others are linked with it, and do not bring it.
# Debian keeps one release of a package only, so a version named here would soon be gone; the base's digest pins its own.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 mlops \
    && useradd --uid 10001 --gid 10001 --no-log-init --create-home --home-dir /home/mlops \
        --shell /usr/sbin/nologin mlops
COPY --from=build /opt/mlops-bot /opt/mlops-bot
# Kubeflow gives the command, and starts it with the first `python3` on the path.
# All that is written goes to /home/mlops, /tmp, and where Kubeflow mounts artifacts: the rest may be read-only.
ENV PATH=/opt/mlops-bot/bin:$PATH \
    HOME=/home/mlops \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /home/mlops
HEALTHCHECK NONE
CMD ["python3", "-c", "import pipelines; print(*pipelines.NAMES)"]
