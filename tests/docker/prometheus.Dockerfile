# Debian's Prometheus, to run the configuration and the rules with where no image can be pulled.
# checkov:skip=CKV_DOCKER_7:BASE has a tag
# checkov:skip=CKV_DOCKER_2:the tests ask it themselves
ARG BASE=python:3.11-slim
FROM ${BASE}
# A test image: whatever the release of Debian has.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends prometheus \
 && rm -rf /var/lib/apt/lists/* \
 && install --directory --owner 65534 --group 65534 /prometheus
USER 65534:65534
EXPOSE 9090
ENTRYPOINT ["prometheus"]
