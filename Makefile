# SPDX-License-Identifier: GPL-3.0-or-later
# Thin calls of playbooks and tools. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
INVENTORY ?= inventories/local
# Options for the playbooks, for example: make restart ARGS="--limit node_1"
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
LINK := $(VENV)/collections/ansible_collections/gravity/cluster
PLAY = $(BIN)/ansible-playbook -i $(INVENTORY)

.PHONY: help setup setup-test up status stop start restart down purge logs test lint bench clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Make .venv with the pinned dependencies

$(VENV)/.ready: requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than Python 3.11: name a newer one with make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' || \
	  { echo "$(PYTHON) cannot make virtual environments: install python3-venv (on Debian and Ubuntu)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt
	mkdir -p $(dir $(LINK)) && ln -sfn ../../../.. $(LINK)
	touch $@

setup-test: $(VENV)/.ready-test

$(VENV)/.ready-test: $(VENV)/.ready tests/requirements.txt tests/tools/community_docker.txt testing/pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -r tests/requirements.txt -c constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable testing
	$(BIN)/python tests/tools/community_docker.py $(VENV)/collections
	touch $@

# By name: Ansible passes over the ansible.cfg of a folder that everybody may write to.
up status stop start restart down purge logs: export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

up: setup ## Deploy the cluster and wait until it is ready
	$(PLAY) playbooks/deploy.yml $(ARGS)

status: setup ## Show every node
	$(PLAY) playbooks/status.yml $(ARGS)

stop: setup ## Stop nodes (ARGS="--limit node_1")
	$(PLAY) playbooks/stop.yml $(ARGS)

start: setup ## Start nodes
	$(PLAY) playbooks/start.yml $(ARGS)

restart: setup ## Restart the nodes one at a time, keeping the quorum
	$(PLAY) playbooks/restart.yml $(ARGS)

down: setup ## Remove containers and network, keep data and genesis
	$(PLAY) playbooks/teardown.yml $(ARGS)

purge: setup ## Remove everything, data and genesis too (CONFIRM=<cluster name>)
	$(PLAY) playbooks/teardown.yml -e teardown_purge=true -e confirm=$(CONFIRM) $(ARGS)

logs: setup ## Show the nodes' logs
	$(PLAY) playbooks/logs.yml $(ARGS)

test: ## Set everything up and run every check that CI runs
	tests/run

lint: setup-test ## Run the linters and the type checker
	tests/run lint

bench: setup-test ## Measure against the bare SDK, docker-compose and community.docker
	tests/run bench

clean: ## Remove .venv, caches and build results
	rm -rf $(VENV) .cache .ansible build dist
