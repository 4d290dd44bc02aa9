# The image of the web console: no torch. Build it with images/build.py, which also names it.
#
# It compiles pipelines for schedules, so it has what KFP's compiler and client need. It runs no step
# itself: runs are those of a cluster.
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS requirements
WORKDIR /build
COPY images/requirements.py pyproject.toml ./
RUN python3 requirements.py pyproject.toml > console.txt && \
    python3 requirements.py pyproject.toml pipeline console >> console.txt

FROM ${BASE_IMAGE} AS packages
WORKDIR /build
COPY constraints.txt ./
COPY --from=requirements /build/console.txt ./
RUN --mount=type=secret,id=ca_bundle,target=/etc/pip-ca.crt \
    --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    if [ -s /etc/pip-ca.crt ]; then export PIP_CERT=/etc/pip-ca.crt; fi; \
    python3 -m venv /venv && \
    /venv/bin/pip install --no-cache-dir --constraint constraints.txt --requirement console.txt

# What the console does not use: the packages' own tests, what compiles the preparation of data, pip.
FROM packages AS trimmed
RUN find /venv -type d -name tests -prune -exec rm -rf {} + && \
    /venv/bin/pip uninstall --quiet --yes llvmlite numba setuptools pip

FROM ${BASE_IMAGE} AS source
WORKDIR /app
COPY LICENSE ./
COPY components ./components
COPY frhead_core ./frhead_core
COPY pipeline ./pipeline
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /app && \
    mkdir bin && \
    printf '#!/venv/bin/python3\nfrom pipeline.cli import main\n\nmain()\n' > bin/frhead && \
    chmod 755 bin/frhead

FROM ${BASE_IMAGE}
RUN groupadd --gid 1000 frhead && useradd --uid 1000 --gid 1000 --create-home frhead
COPY --from=trimmed /venv /venv
COPY --from=source /app /app
ENV PATH=/app/bin:/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 1000:1000
WORKDIR /home/frhead
EXPOSE 8080
ENTRYPOINT ["frhead", "console"]
ARG SOURCE_REVISION=unknown
LABEL org.opencontainers.image.title="FR-Head pipeline, web console" \
      org.opencontainers.image.description="Runs, schedules and champions of a cluster, in a browser." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${SOURCE_REVISION}"
