# Debian's Prometheus, to run the configuration and the rules with where no image can be pulled.
ARG BASE=python:3.11-slim
FROM ${BASE}
# hadolint ignore=DL3008 - a test image: whatever the release of Debian has
RUN apt-get update \
 && apt-get install --yes --no-install-recommends prometheus \
 && rm -rf /var/lib/apt/lists/* \
 && install --directory --owner 65534 --group 65534 /prometheus
USER 65534:65534
EXPOSE 9090
ENTRYPOINT ["prometheus"]
