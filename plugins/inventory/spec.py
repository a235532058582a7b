# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory plugin spec."""

from __future__ import annotations

DOCUMENTATION = r"""
name: spec
short_description: The nodes and Docker hosts of a cluster spec
version_added: 0.1.0
author: gravity.cluster maintainers (@gravity)
description:
  - Reads a cluster spec, the one file that describes a cluster, and makes each of its nodes and each of its Docker hosts an
    inventory host.
  - A source is a YAML, JSON or TOML file whose key C(plugin) is V(gravity.cluster.spec), or a C(cluster.json) of the older tooling or a
    C(cluster.toml) of Gravity's tooling, which have no such key.
  - What the spec does not give is allocated. An allocated address or port depends only on the node's own name, number and role and
    on the subnet, so adding or removing another node never moves it. Two nodes with the same address, container or host port are
    refused.
  - "A mistake is one line: the file, the path inside it, what is wrong, and what would be right. All mistakes are listed, and the
    command ends with code 4, whatever C(any_unparsed_is_failed) says, so that no play ever runs on half a cluster."
  - Each node has the variable C(gravity_node) (all that is known of it) and is in the groups C(nodes), its role in the plural
    (such as C(validators)), C(on_<Docker host>), C(flavor_<flavor>) and C(label_<key>_<value>) for each label. Docker hosts are in
    C(docker_hosts) and in C(on_<Docker host>), which holds the connection's variables for the Docker host and its nodes. The group
    C(all) has the variable C(gravity_cluster).
  - Nothing in a spec is a template, whatever it looks like; only the expressions of O(compose), O(groups) and O(keyed_groups) are
    evaluated, and the C(ansible_...) variables of O(hosts), as in any inventory. The expressions see C(gravity_node),
    C(gravity_cluster), and every field of C(gravity_node) by its own name, for nodes only.
  - A spec, or single values of one in YAML (C(!vault)), may be encrypted with C(ansible-vault).
  - The cache holds the resolved spec. A spec with anything encrypted, or with files that are secret, is not cached. The cache is used
    only while the spec and the collection are the same as when it was made.
  - The JSON Schema for editors is C(docs/spec.schema.json), the reference with examples C(docs/spec.md).
requirements:
  - pydantic >= 2.10 on the controller
notes:
  - Ansible itself knows a source by its key C(plugin) only in files that end in C(.yml) or C(.yaml). For JSON and TOML, list
    C(gravity.cluster.spec) first in C(enable_plugins) of the section C([inventory]) of C(ansible.cfg), or in
    E(ANSIBLE_INVENTORY_ENABLED).
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: Makes the file a source for this plugin. A C(cluster.json) may do without.
    type: str
    required: true
    choices: [gravity.cluster.spec]
  cluster_name:
    description: Name of the cluster. Every object on a Docker host carries it as a label.
    type: str
    required: true
  flavor:
    description:
      - The software that nodes run, unless O(defaults), O(roles) or O(nodes) say otherwise.
      - The default is V(injective), and V(gravity) in a C(cluster.json) without O(plugin).
    type: str
  container_prefix:
    description: What is put before a node's name to make the name of its container.
    type: str
    default: gravity_
  network:
    description: The network that the nodes share.
    type: dict
    suboptions:
      name:
        description: Name of the Docker network. The default is O(cluster_name).
        type: str
      subnet:
        description: IPv4 subnet, C(/29) or larger.
        type: str
        default: 172.20.0.0/24
      gateway:
        description: Address of the gateway. The default is the first of the subnet.
        type: str
      chain_id:
        description: EVM chain id.
        type: int
        default: 1337
      driver:
        description:
          - V(bridge) is a network of one Docker host. Nodes that must reach one another have to be on one.
          - V(overlay) is one network over all Docker hosts, on Docker's own Swarm mode, which is set up among them. It needs the collection
            C(community.docker) on the controller, and the ports 2377/tcp, 7946/tcp+udp and 4789/udp between the Docker hosts.
          - With V(host_ports) each Docker host has such a bridge, and nodes on other hosts are reached at published ports, for hosts
            that share neither a network of layer 2 nor a Swarm. See O(hosts).
        type: str
        choices: [bridge, overlay, host_ports]
        default: bridge
      encrypted:
        description: Whether what goes between the Docker hosts is encrypted. For O(network.driver=overlay).
        type: bool
        default: false
      mtu:
        description: Largest packet in the network. The default is the Engine's.
        type: int
  image:
    description: The image of the nodes, unless O(defaults), O(roles) or O(nodes) say otherwise; see O(defaults.image). The default
      is the flavor's.
    type: raw
  docker:
    description: What the older C(cluster.json) says of Docker.
    type: dict
    suboptions:
      image:
        description: Image of the nodes, which must be on the Docker host. O(image) wins.
        type: str
      compose_file:
        description: Kept for the older tooling, not used.
        type: str
  config:
    description: Settings of the flavor; the role C(flavor_<name>) lists them in C(meta/flavor.yml).
    type: dict
  hosts:
    description:
      - The Docker hosts by name. Each has its connection variables (C(ansible_host), C(ansible_user), C(ansible_port)...), and
        other variables under C(vars). All of them hold for the nodes on it too.
      - In addition C(capacity) (C(cpus), C(memory), C(max_nodes); by default without limit) and C(labels), for the placement of nodes
        that name no Docker host.
      - C(address) is where the other Docker hosts reach it; the default is C(ansible_host).
      - The default is this machine, under the name V(local).
    type: dict
  defaults:
    description: What holds for every node, unless O(roles) or O(nodes) say otherwise. Mappings are merged, all else is replaced.
    type: dict
    suboptions:
      role:
        description: V(validator), V(fullnode), V(service), or another that the flavor knows. The default is the first role of the
          flavor.
        type: str
      flavor:
        description: The software that the node runs.
        type: str
      host:
        description:
          - The Docker host that carries the node. By default it is placed. Nodes are spread evenly over the Docker hosts that have the
            labels and the room for them; no Docker host gets a third or more of the voting power of the validators where that
            can be had, and a warning says where not.
          - A deploy writes down where placed nodes are, in a hidden file next to the spec, so that adding a Docker host or a node
            moves no other.
        type: str
      placement:
        description: Which Docker hosts may carry the node. C(labels) is a mapping of labels that they must have.
        type: dict
      aliases:
        description: More names of the node in the network.
        type: list
        elements: str
      voting_power:
        description: A validator's share in the decisions. The default is 1.
        type: int
      image:
        description:
          - Where the image comes from, a mapping with C(source) and C(name) as the options of the module M(gravity.cluster.image),
            and with what the source needs. C(context) and C(archive) are relative to the spec.
          - A text is the name of an image to pull when it is not there.
        type: raw
      ports:
        description:
          - Ports by name. A mapping with C(container), C(host) (V(null) publishes none), C(base) (the host port is this, plus the
            role's offset, plus the node's number), C(address) (default V(127.0.0.1)) and C(protocol) (default V(tcp)).
          - V("8080:80") is host port 8080 and container port 80; a number is the host port.
        type: dict
      command:
        description: Command of the container, a list of words or one line.
        type: raw
      entrypoint:
        description: Entry point of the container, a list of words or one line.
        type: raw
      env:
        description: Environment variables. No secrets, as C(docker inspect) shows them.
        type: dict
      user:
        description: User and group of the process, as V(10001:10001).
        type: str
      volumes:
        description: Volumes of the node's own, mappings with C(name), C(target) and C(read_only), or V(name:/target:ro).
        type: list
        elements: raw
      tmpfs:
        description: Folders in memory, V(/run) or with mount options V(/run:size=64m,mode=1777). The default is V(/tmp) when the
          root filesystem is read-only and neither the flavor nor a volume says otherwise.
        type: list
        elements: str
      files:
        description: Text files to put into the container, below a volume. Mappings with C(path), C(content), C(mode) and
          C(secret). A secret has mode V(0400) unless it says otherwise, and no diff shows it.
        type: list
        elements: dict
      labels:
        description: Labels of the container. Each makes a group C(label_<key>_<value>).
        type: dict
      resources:
        description: Limits of the container, C(cpus), C(memory) and C(pids). V(unlimited) takes a limit away.
        type: dict
      ulimits:
        description: Limits on each process by name, such as C(nofile); a number, or V(soft:hard). The default is the Engine's.
        type: dict
      cap_add:
        description: Linux capabilities to keep; all others are dropped.
        type: list
        elements: str
      read_only:
        description: Whether the root filesystem is read-only. The default is V(true).
        type: bool
      restart:
        description: When the Engine restarts the container. V(no), V(always), V(on-failure), V(on-failure:5) or V(unless-stopped),
          which is the default. With V(always), a node that was stopped starts when the Engine or the machine restarts.
        type: str
      stop_grace:
        description: Time to end before the container is killed, whole seconds or V(1m30s). The default is 30 seconds.
        type: raw
      stop_signal:
        description: Signal that asks the container to stop, such as V(SIGINT). The default is the image's.
        type: str
      init:
        description: Whether the Engine's init runs as the first process. The default is V(true).
        type: bool
      hostname:
        description: Host name inside the container. The default is the node's name.
        type: str
      extra_hosts:
        description: Name to address, for the container's hosts file. The address V(host-gateway) is the Docker host.
        type: dict
      working_dir:
        description: Folder that the process starts in. The default is the image's.
        type: str
      group_add:
        description: More groups of the process, by number, or by name in the image.
        type: list
        elements: str
      sysctls:
        description: Kernel parameters that the container has for itself, such as C(net.core.somaxconn).
        type: dict
      shm_size:
        description: Size of C(/dev/shm), such as V(256m). The default is V(64m).
        type: str
      log:
        description: Rotation of the container's log, C(max_size) (default V(10m)) and C(max_file) (default V(3)).
        type: dict
      security_opt:
        description: Security options, V(seccomp=unconfined), V(apparmor=profile), V(label=option), V(no-new-privileges=false).
        type: list
        elements: str
      devices:
        description: Devices of the Docker host, such as V(/dev/fuse) or V(/dev/ttyUSB0:/dev/tty0:rw).
        type: list
        elements: str
      gpus:
        description: GPUs, V(all), a number, or some of them as V(device=0,1).
        type: str
      binds:
        description: Files and folders of the Docker host, mappings with C(source), C(target) and C(read_only) (default V(true)), or
          V(/srv/data:/data), writable with V(:rw). They must be there. Whatever may write them changes the Docker host.
        type: list
        elements: raw
      health:
        description: Health check, C(test), C(interval), C(timeout), C(retries) and C(start_period).
        type: dict
      ready:
        description:
          - When the node counts as ready, C(probes), C(conditions), C(together), C(timeout), C(stable) and C(crash_loop). Each of them
            replaces what the flavor says.
          - C(stable) is how long the container must have been running without an end, C(crash_loop) how long it may restart again and
            again.
          - Probes without conditions must each succeed.
        type: dict
      log_files:
        description: Log files in the container that count beside its output. They have to be below its volumes.
        type: list
        elements: str
      storage:
        description: The node's data, for clearing them. C(clear) lists folders in the container below its volumes, C(keep) what in them
          stays. The default is the flavor's.
        type: dict
      config:
        description: Settings of the flavor.
        type: dict
  roles:
    description:
      - What holds for every node of a role, unless O(nodes) say otherwise. A mapping from the role's name to the fields of
        O(defaults), without C(role).
      - In addition C(address_offset), where the role's addresses start in the subnet (validator 10, fullnode 100, service 200),
        and C(port_offset), how far its host ports start above a port's base (validator 0, fullnode 100, service 200).
    type: dict
  nodes:
    description:
      - The nodes by name. V(node_[0:3]) stands for node_0 to node_3; V([00:10]) keeps the zeros, V([0:10:2]) takes every second.
      - Each has the fields of O(defaults), and in addition C(container_name), C(network_ip), and C(rpc_port), C(metrics_port),
        C(p2p_port) and C(inspection_port), which are the host ports of the ports with these names. C(config_dir) is
        a folder with the node's ready config files, relative to the spec, for flavors that take them (V(gravity)).
    type: dict
    required: true
"""

EXAMPLES = r"""
# Four validators of a development chain on this machine: gravity_node_0 to 3, JSON-RPC on 127.0.0.1:8545 to 8548
plugin: gravity.cluster.spec
cluster_name: my-cluster
network:
  subnet: 172.20.0.0/24
  chain_id: 1337
nodes:
  node_[0:3]:
    role: validator

---
# A Docker host over SSH, roles, a full node that others may reach, and groups from expressions
plugin: gravity.cluster.spec
cluster_name: my-cluster
hosts:
  alpha: {ansible_host: 192.0.2.10, ansible_user: ops, ansible_become: true, vars: {disk: /srv}}
config:
  timeout_commit: 1s
defaults:
  resources: {cpus: 2, memory: 4g}
roles:
  fullnode:
    ports:
      rpc: {address: 0.0.0.0}
nodes:
  node_[0:1]: {role: validator}
  node_[2:4]: {role: validator, voting_power: 2}
  full_0: {role: fullnode, labels: {tier: public}}
keyed_groups:
  - key: voting_power
    prefix: power
groups:
  public: role == 'fullnode' and labels.tier | default('') == 'public'
compose:
  my_rpc: gravity_node.rpc_url

---
# Any other software, on two Docker hosts
plugin: gravity.cluster.spec
cluster_name: web
flavor: generic
hosts:
  alpha: {ansible_host: 192.0.2.10, labels: {disk: ssd}, capacity: {max_nodes: 8}}
  beta: {ansible_host: 192.0.2.11}
nodes:
  web_[0:2]:
    image: {source: pull, name: nginx:1.27}
    user: "101:101"
    tmpfs: [/var/cache/nginx, /run]
    ports:
      http: {container: 8080, base: 18080}
    ready:
      probes:
        http: {type: http, port: http, path: /}
"""

import hashlib
import json
import os
import re
import sys
import typing as t

from ansible import context
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.parsing.vault import VaultLib, VaultSecretsContext
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.plugins.loader import filter_loader
from ansible.template import trust_as_template

from ansible_collections.gravity.cluster.plugins.plugin_utils import _flavors
from ansible_collections.gravity.cluster.plugins.plugin_utils import _record as record
from ansible_collections.gravity.cluster.plugins.plugin_utils import _spec_groups as groups
from ansible_collections.gravity.cluster.plugins.plugin_utils._origin import origin_of
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_problems import SpecInvalid, shown_path
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_read import read
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_toml import is_cluster_toml, translate
from ansible_collections.gravity.cluster.plugins.plugin_utils._written import plain, written

NAME = "gravity.cluster.spec"
# The exit code of Ansible's commands for a source that cannot be parsed.
PARSER_ERROR = 4
VAULTED = "$ANSIBLE_VAULT;"
START = "gravity.cluster"
ENDINGS = (".yml", ".yaml", ".json", ".toml")
# A file of such a name is a spec, even when it is empty or too broken to show its key `plugin`.
LIKELY = re.compile(r"(.*[._-])?cluster\.(yml|yaml|json|toml)\Z")
KEY = re.compile(r"""^\ufeff?(?:\{[ \t]*)?["']?plugin["']?[ \t]*:[ \t]*["']?gravity\.cluster\.spec\b""", re.MULTILINE)
OURS = {"cluster_name", "nodes"}
# What the model checks is not checked twice.
REQUIRED = {"plugin": NAME, "cluster_name": "", "nodes": {}}
CONSTRUCTED = ("strict", "compose", "groups", "keyed_groups", "use_extra_vars", "leading_separator")
CACHED = ("cache", "cache_plugin", "cache_timeout", "cache_connection", "cache_prefix")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """See DOCUMENTATION. Staged: read, validate and resolve (or take from the cache), populate, construct."""

    NAME = NAME

    def verify_file(self, path: str) -> bool:
        """Whether ``path`` is a cluster spec, or was most likely meant to be one."""
        likely = LIKELY.match(os.path.basename(path)) is not None
        if not path.endswith(ENDINGS) or os.path.isdir(path):
            return False
        try:
            text = _plain_text(path)
            # Without the password nobody knows what it is, and the name alone has to tell.
            text = _decrypted(text) if text.startswith(VAULTED) else text
        except (OSError, AnsibleError):
            return likely
        if KEY.search(text):
            return True
        toml = path.endswith(".toml")
        if not likely and not toml and "gravity.cluster" not in text:
            return False
        try:
            data = read(text, path)
        except SpecInvalid:
            # Empty, or broken: the name alone says whose it is.
            return likely
        if toml and is_cluster_toml(data):
            return True
        plugin = str(data.get("plugin", ""))
        # A static inventory, or the file of another plugin, may be called cluster.yml too.
        return plugin.startswith(START) or (likely and not plugin and not OURS.isdisjoint(data))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Fill ``inventory`` with the cluster of the spec ``path``."""
        super().parse(inventory, loader, path)
        self._path = path
        self._secrets: t.Set[str] = set()
        try:
            text = self._text(path)
            data = read(text, path, self._secret)
            if path.endswith(".toml") and is_cluster_toml(data):
                data, warnings = translate(data, path)
                # What stands beside the file counts too.
                text = json.dumps(data)
                for line in warnings:
                    self.display.warning(f"{shown_path(path)}: {line}")
            self._set_options(data)
            self._connections = _connections(data)
            self._populate(self._resolved(text, data, path, cache), path)
        except OSError as exc:
            self._refuse([f"{shown_path(path)}: the file cannot be read: {exc.strerror or exc}; check its name and permissions"])
        except SpecInvalid as exc:
            self._refuse(exc.lines)
        except AnsibleError as exc:
            # The vault has no password for it, a cache plugin does not exist, an expression of Constructable fails.
            self._refuse([" ".join(f"{shown_path(path)}: {exc.message}; mend this, or leave it out".split())])
        except ImportError as exc:
            self._refuse([f"{shown_path(path)}: a Python package is missing on the controller ({exc}); run pip install pydantic"])
        _load_filters()

    def _refuse(self, lines: t.List[str]) -> t.NoReturn:
        """End the run with one line per mistake.

        Ansible hands a source that one plugin refused to the next ones, and would show what each of them thinks of a
        file that is not theirs, twice; without settings of its own it would then go on without nodes. So a command
        of Ansible ends here; a program that reads inventories itself gets the exception.
        """
        error = AnsibleParserError("\n".join(lines))
        if not context.CLIARGS:
            raise error
        for line in lines:
            self.display.error(line)
        raise SystemExit(PARSER_ERROR)

    def _text(self, path: str) -> str:
        """The file's text; one that ansible-vault encrypted is decrypted."""
        text = _plain_text(path)
        self._encrypted = text.startswith(VAULTED)
        return str(self.loader.get_text_file_contents(path)) if self._encrypted and self.loader else text

    def _secret(self, encrypted: str) -> str:
        """The text of a value with the tag ``!vault``."""
        text = _decrypted(encrypted)
        self._secrets.add(text)
        return text

    def _is_private(self, cluster: t.Mapping[str, t.Any]) -> bool:
        """Whether the cluster has what is never to be written to a file in clear."""
        marked = any(file.get("secret") for node in cluster["nodes"].values() for file in node.get("files") or ())
        return self._encrypted or bool(self._secrets) or marked

    def update_cache_if_changed(self) -> None:
        """Write the cache; its files are for their owner only, as contents of files and variables may be in them."""
        super().update_cache_if_changed()
        # A plugin that keeps files makes them readable for all. Their names end with the key, behind prefixes of its own.
        folder = str(getattr(getattr(self._cache, "_plugin", None), "_cache_dir", None) or "")
        for file in os.listdir(folder) if os.path.isdir(folder) else ():
            if file.endswith(self.get_cache_key(self._path)):
                os.chmod(os.path.join(folder, file), 0o600)

    def _set_options(self, data: t.Dict[str, t.Any]) -> None:
        """Take the options of Constructable and Cacheable from the spec."""
        given = {key: _trusted(_expressions(key, data[key])) for key in (*CONSTRUCTED, *CACHED) if key in data}
        try:
            self.set_options(direct={**REQUIRED, **given})
        except AnsibleError:
            # The validation says it in one line; what it does not find wrong, ansible-core's own option types did.
            self.set_options(direct=REQUIRED)

    def _resolved(self, text: str, data: t.Dict[str, t.Any], path: str, cache: bool) -> t.Dict[str, t.Any]:
        """The resolved cluster, from the cache when it was made from the same spec."""
        recorded = _recorded(data, path)
        if not self.get_option("cache"):
            return self._load(data, path, recorded)
        self.load_cache_plugin()
        key = self.get_cache_key(path)
        digest = _digest(text + record.text_of("", recorded))
        if cache:
            try:
                cached = self._cache[key]
            except KeyError:
                cached = None
            if isinstance(cached, dict) and cached.get("digest") == digest:
                return t.cast("t.Dict[str, t.Any]", cached["cluster"])
        cluster = self._load(data, path, recorded)
        # An empty entry takes the place of what the spec was before it had secrets.
        self._cache[key] = {} if self._is_private(cluster) else {"digest": digest, "cluster": cluster}
        return cluster

    def _load(self, data: t.Dict[str, t.Any], path: str, recorded: t.Mapping[str, str]) -> t.Dict[str, t.Any]:
        # The model costs a tenth of a second, which a spec from the cache saves.
        from ansible_collections.gravity.cluster.plugins.plugin_utils._spec import load  # noqa: PLC0415

        older = "plugin" not in data and os.path.basename(path) == "cluster.json"
        return load(data, path, older, recorded)

    def _populate(self, resolved: t.Dict[str, t.Any], path: str) -> None:
        """Fill the inventory with plain data; then let Constructable add to it."""
        inventory: t.Any = self.inventory
        cluster = resolved["cluster"]
        earlier = inventory.groups["all"].vars.get("gravity_cluster")
        if earlier:
            text = f"the inventory holds the cluster {earlier['name']} already; give one cluster spec per run"
            raise SpecInvalid(path, [(("cluster_name",), text)])
        # A list of all nodes in the variables of every node would make an inventory that grows with their square.
        nodes = trust_as_template("{{ groups['%s'] }}" % groups.NODES)
        inventory.set_variable(
            "all", "gravity_cluster", {**cluster, "nodes": nodes, "spec": os.path.abspath(path), "origin": origin_of(path)}
        )
        for host, variables in resolved["hosts"].items():
            self._add_docker_host(inventory, host, variables)
        for name, node in resolved["nodes"].items():
            for group in groups.node_groups(node):
                inventory.add_host(name, inventory.add_group(group))
            inventory.set_variable(name, "gravity_node", node)
        for line in resolved["warnings"]:
            self.display.warning(f"{shown_path(path)}: {line}")
        self._construct(resolved)

    def _add_docker_host(self, inventory: t.Any, host: str, variables: t.Mapping[str, t.Any]) -> None:
        """A Docker host, and the group that it shares with its nodes, which has the connection's variables."""
        group = inventory.add_group(groups.host_group(host))
        for key, value in variables.items():
            # Those of the connection are Ansible's, and templates as in any inventory: when they are from the spec, not only from a cache.
            templates = self._connections.get((host, key)) == value
            inventory.set_variable(group, key, _trusted(value, self._secrets) if templates else value)
        if variables.get("ansible_connection") == "local" and "ansible_python_interpreter" not in variables:
            # As for ansible-core's implicit localhost.
            inventory.set_variable(group, "ansible_python_interpreter", sys.executable)
        inventory.add_host(host, inventory.add_group(groups.DOCKER_HOSTS))
        inventory.add_host(host, group)

    def _construct(self, resolved: t.Dict[str, t.Any]) -> None:
        """Variables and groups from expressions over the fields of each node."""
        strict, compose, conditions, keys = (self.get_option(key) for key in ("strict", "compose", "groups", "keyed_groups"))
        if not (compose or conditions or keys):
            return
        for name, node in resolved["nodes"].items():
            variables = {**node, "gravity_node": node, "gravity_cluster": resolved["cluster"], "inventory_hostname": name}
            self._set_composite_vars(compose, variables, name, strict=strict)
            self._add_host_to_composed_groups(conditions, variables, name, strict=strict)
            self._add_host_to_keyed_groups(keys, variables, name, strict=strict)


def _load_filters() -> None:
    """Load the filters of the collection, if the command is one that forks.

    Ansible forks a worker for each task, and a worker that needs one filter loads all of them, which takes a tenth of a second.
    What is loaded here they all have. It is the first moment at which collections can be loaded.
    """
    if context.CLIARGS.get("forks"):
        filter_loader.get_with_context("gravity.cluster.leads")


def _expressions(key: str, value: t.Any) -> t.Any:
    """An option of Constructable or Cacheable; an expression is what is written, also when it looks like a number."""
    if key in ("compose", "groups") and isinstance(value, dict):
        return {name: str(item).lower() if isinstance(item, bool) else written(item) for name, item in value.items()}
    return plain(value)


def _decrypted(text: str) -> str:
    """What ansible-vault encrypted, with the secrets that the command was given."""
    # Typed as always there, and not there for a program that reads inventories itself.
    secrets = getattr(VaultSecretsContext.current(optional=True), "secrets", None)
    return str(VaultLib(secrets).decrypt(text.strip().encode()).decode())


def _trusted(value: t.Any, never: t.Collection[str] = ()) -> t.Any:
    """``value`` as a template, except for texts in ``never``.

    The options of Constructable and the variables of connections are for Ansible; nothing else of a spec is a template.
    """
    if isinstance(value, str):
        return value if value in never else trust_as_template(value)
    if isinstance(value, dict):
        return {key: _trusted(item, never) for key, item in value.items()}
    if isinstance(value, list):
        return [_trusted(item, never) for item in value]
    return value


def _connections(data: t.Dict[str, t.Any]) -> t.Dict[t.Tuple[str, str], t.Any]:
    """(Docker host, name) -> value of the variables of connections in a spec, before it is checked."""
    hosts = data.get("hosts")
    found = {}
    for host, given in hosts.items() if isinstance(hosts, dict) else ():
        for variables in (given, given.get("vars")) if isinstance(given, dict) else ():
            for key, value in variables.items() if isinstance(variables, dict) else ():
                if str(key).startswith("ansible_"):
                    found[host, key] = value
    return found


def _recorded(data: t.Dict[str, t.Any], path: str) -> t.Dict[str, str]:
    """Where an earlier run has put the nodes; of interest with several Docker hosts only."""
    hosts = data.get("hosts")
    return record.read(path, str(data.get("cluster_name"))) if isinstance(hosts, dict) and len(hosts) > 1 else {}


def _plain_text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as stream:
        return stream.read()


def _digest(text: str) -> str:
    """Of everything that the resolved cluster is made from: the spec and the collection's own files."""
    digest = hashlib.sha256(text.encode())
    here = os.path.dirname(os.path.abspath(_flavors.__file__))
    folders = (here, os.path.join(os.path.dirname(here), "module_utils"))
    sources = sorted(os.path.join(folder, name) for folder in folders for name in os.listdir(folder) if name.endswith(".py"))
    for file in [*sources, *(_flavors.facts_file(name) for name in _flavors.known())]:
        if os.path.exists(file):
            with open(file, "rb") as stream:
                digest.update(stream.read())
    return digest.hexdigest()
