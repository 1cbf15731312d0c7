# The bot. Built at the top of the checkout: `make images`.
# Models are trained in the runner's image or in one of their own, so no training library is here.
# The tag moves with Python's and Debian's fixes. For a build that can be repeated, give the base by its digest:
# --build-arg PYTHON_IMAGE=python:3.11-slim-trixie@sha256:…
ARG PYTHON_IMAGE=python:3.11-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1
WORKDIR /src
COPY pyproject.toml constraints.txt ./
# what changes seldom comes first, so that a change of the code alone is built, pushed and pulled in seconds
RUN python -m venv --without-pip /opt/mlops-bot \
    && pip install --no-cache-dir --constraint constraints.txt uv \
    && uv pip install --python /opt/mlops-bot/bin/python --constraints constraints.txt \
        --requirements pyproject.toml --extra github --extra gitlab --extra postgres --extra s3
COPY README.md LICENSE ./
COPY bot bot
COPY pipelines pipelines
COPY schemas schemas
RUN uv pip install --python /opt/mlops-bot/bin/python --constraints constraints.txt --build-constraints constraints.txt \
        --no-deps .

FROM ${PYTHON_IMAGE}
# Debian keeps one release of a package only, so a version named here would soon be gone; the base's digest pins its own.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git tini \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 mlops \
    && useradd --uid 10001 --gid 10001 --no-log-init --create-home --home-dir /var/lib/mlops-bot \
        --shell /usr/sbin/nologin mlops
COPY --from=build /opt/mlops-bot /opt/mlops-bot
# All that is written goes to /var/lib/mlops-bot and /tmp: the rest may be mounted read-only.
ENV PATH=/opt/mlops-bot/bin:$PATH \
    HOME=/var/lib/mlops-bot \
    MLOPS_BOT_HOME=/var/lib/mlops-bot \
    MLOPS_BOT_HOST=0.0.0.0 \
    MLOPS_BOT_PORT=8321 \
    MLOPS_BOT_LOG=json \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/mlops-bot
EXPOSE 8321
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:%s/healthz' % os.environ['MLOPS_BOT_PORT'], timeout=4)"]
# tini is the parent of what the local engine and git leave behind
ENTRYPOINT ["tini", "--", "mlops-bot"]
CMD ["serve"]
