# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a validated spec to the resolved cluster: merge the layers, expand ranges, allocate, and refuse what does not fit together."""

from __future__ import annotations

import collections
import ipaddress
import os
import re
import typing as t

from ansible_collections.gravity.cluster.plugins.module_utils import _grammar as grammar
from ansible_collections.gravity.cluster.plugins.module_utils._parse import memory as size
from ansible_collections.gravity.cluster.plugins.module_utils._targets import LOOPBACK
from ansible_collections.gravity.cluster.plugins.plugin_utils import _allocation as allocation
from ansible_collections.gravity.cluster.plugins.plugin_utils import _flavors as flavors
from ansible_collections.gravity.cluster.plugins.plugin_utils import _placement as placement
from ansible_collections.gravity.cluster.plugins.plugin_utils import _spec_ready as readiness
from ansible_collections.gravity.cluster.plugins.plugin_utils._definitions import LISTED, MAPPED, REPLACED, RESOURCES
from ansible_collections.gravity.cluster.plugins.plugin_utils._ranges import RangeError, expand
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_groups import DOCKER_HOSTS, NODES, host_group, node_groups
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_problems import Path, Problems, kind, nearest
from ansible_collections.gravity.cluster.plugins.plugin_utils._spec_values import NAME, NAME_RULE
from ansible_collections.gravity.cluster.plugins.plugin_utils._written import WrittenBool, odd_places, plain

Data = t.Dict[str, t.Any]

DEFAULT_FLAVOR = "injective"
OLDER_FLAVOR = "gravity"
DEFAULT_PREFIX = "gravity_"
DEFAULT_NETWORK: t.Mapping[str, t.Any] = {"subnet": "172.20.0.0/24", "chain_id": 1337, "driver": "bridge"}
# What is most often said of a Docker host.
HOST_KEYS = ("ansible_host", "ansible_user", "ansible_port", "ansible_connection", "address", "capacity", "labels", "vars")
# Those of them that are no variables of Ansible's.
_HOST_FACTS = ("address", "capacity", "labels", "vars")
OVERLAY = "overlay"
HOST_PORTS = "host_ports"  # the network driver with which nodes are reached at ports of their Docker hosts
BRIDGE_RULE = "a bridge of Linux takes no more ports"
LOCAL = "local"  # the Docker host of a spec that names none: this machine

# Names of Ansible's own.
_TAKEN = ("all", "ungrouped", "localhost", NODES, DOCKER_HOSTS)
# Keys of a node that stand for the host port of a port.
_PORT_KEYS = {"rpc_port": "rpc", "metrics_port": "metrics", "p2p_port": "p2p", "inspection_port": "inspection"}
_CONNECTION = re.compile(r"ansible_[a-z0-9_]+\Z")
# What a setting of a flavor may be.
_TYPES: t.Mapping[str, t.Tuple[t.Tuple[type, ...], str]] = {
    "str": ((str,), "text"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "list": ((list,), "a list"),
    "dict": ((dict,), "a mapping"),
}


def resolve(spec: Data, problems: Problems, older: bool = False, recorded: t.Optional[t.Mapping[str, str]] = None) -> Data:
    """The cluster that ``spec`` describes: ``{cluster, hosts, nodes, warnings}``, plain data.

    ``cluster`` is the variable ``gravity_cluster``; ``nodes`` holds the variable ``gravity_node`` by name, in the order of the spec;
    ``hosts`` holds the variables of each Docker host and its nodes; ``warnings`` is a list of lines. ``recorded`` says on which Docker
    host an earlier run has put a node. Raises ``SpecInvalid`` with all mistakes at once.
    """
    return _Resolver(spec, problems, older, recorded or {}).run()


def merged(lower: t.Mapping[str, t.Any], upper: t.Mapping[str, t.Any]) -> Data:
    """``upper`` over ``lower``: mappings are merged, all else is replaced; nothing (null) leaves what is below."""
    result = dict(lower)
    for key, value in upper.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            result[key] = merged(old, value)
        elif value is not None:
            result[key] = value
    return result


def _is_ip(text: str) -> bool:
    try:
        return bool(ipaddress.IPv4Address(text))
    except ValueError:
        return False


def _twice(items: t.Iterable[str]) -> t.Set[str]:
    """What is there more than once."""
    return {item for item, count in collections.Counter(items).items() if count > 1}


class _Layers(t.NamedTuple):
    """What is said of the nodes of one entry, and by which flavor and role."""

    fields: Data
    ports: t.Dict[str, Data]
    facts: t.Mapping[str, t.Any]
    flavor: str
    role: str


class _Resolver:
    """One run over one spec."""

    def __init__(self, spec: Data, problems: Problems, older: bool, recorded: t.Mapping[str, str]) -> None:
        self.spec = spec
        self.recorded = recorded
        self.problems = problems
        self.folder = os.path.dirname(os.path.abspath(problems.file))
        self.defaults: Data = spec.get("defaults") or {}
        self.roles: t.Dict[str, Data] = spec.get("roles") or {}
        self.top = self._top(older)
        prefix = spec.get("container_prefix")
        self.prefix: str = DEFAULT_PREFIX if prefix is None else prefix
        self.network = merged({"name": spec["cluster_name"], **DEFAULT_NETWORK}, spec.get("network") or {})
        self.addresses = allocation.Addresses(self.network, problems)
        self.ports = allocation.HostPorts(problems)
        self.hosts = self._hosts()
        self.nodes: t.Dict[str, Data] = {}
        self.origins: t.Dict[str, str] = {}  # node -> the key of `nodes` that it comes from
        self.containers: t.Dict[str, str] = {}  # container -> node
        self.candidates: t.List[placement.Candidate] = []
        # What the host ports of a node are made from, once its Docker host is known: the path of its entry, ports, offset.
        self.unsettled: t.Dict[str, t.Tuple[Path, t.Mapping[str, Data], int]] = {}
        self.warnings: t.Sequence[str] = ()
        # Nodes that were placed now and whose place is not written down yet.
        self.unrecorded: t.List[str] = []

    def run(self) -> Data:
        """See :func:`resolve`."""
        for key, given in self.spec["nodes"].items():
            self._entry(key, given)
        self._place_nodes()
        self._check_network()
        self._check_names()
        self._check_roles()
        self.problems.raise_any()
        validators = {name: node["voting_power"] for name, node in self.nodes.items() if node["role"] == "validator"}
        self._make_ready(validators)
        network = self._resolved_network()
        self.problems.raise_any()
        cluster = {
            "name": self.spec["cluster_name"],
            "network": network,
            "hosts": list(self.hosts),
            "nodes": list(self.nodes),
            "validators": validators,
            "flavors": sorted({node["flavor"] for node in self.nodes.values()}),
            "unrecorded": self.unrecorded,
        }
        return {"cluster": cluster, "hosts": self.hosts, "nodes": self.nodes, "warnings": list(self.warnings)}

    # -- the whole cluster -------------------------------------------------------------------------------------------------

    def _top(self, older: bool) -> Data:
        """What the top level says of all nodes; ``older``: as the older tooling understood it."""
        top: Data = {"flavor": self.spec.get("flavor") or (OLDER_FLAVOR if older else DEFAULT_FLAVOR)}
        if older:
            top.update(flavors.facts(top["flavor"]).get("older") or {})
        older_image = (self.spec.get("docker") or {}).get("image")
        if older_image:
            top["image"] = {"source": "present", "name": older_image}
        top.update({key: self.spec[key] for key in ("image", "config") if self.spec.get(key) is not None})
        return top

    def _hosts(self) -> t.Dict[str, Data]:
        """The variables of each Docker host."""
        hosts: t.Dict[str, Data] = {}
        groups: t.Dict[str, str] = {}
        for name, given in (self.spec.get("hosts") or {LOCAL: {"ansible_connection": "local"}}).items():
            path = ("hosts", name)
            written = {str(key): value for key, value in given.items() if key not in _HOST_FACTS}
            for place, text in odd_places(written):
                self.problems.add((*path, *place), text)
            variables = plain(written)
            for key in variables:
                if not _CONNECTION.match(key):
                    remedy = nearest(key, HOST_KEYS)
                    self.problems.add((*path, key), f"unknown key; {remedy} (variables that do not start with ansible_ go under vars)")
            variables.update(given.get("vars") or {})
            if "ansible_host" not in variables and variables.get("ansible_connection") != "local":
                # These variables hold for the nodes too, whose own names are no addresses.
                variables["ansible_host"] = name
            hosts[name] = variables
            other = groups.setdefault(host_group(name), name)
            if other != name:
                self.problems.add(path, f"its group {host_group(name)} would be that of {other} too; choose another name")
        return hosts

    def _check_network(self) -> None:
        """A bridge joins the containers of one Docker host; nodes that must reach one another need more on several."""
        try:
            grammar.network_name(self.network["name"], self.network["driver"] == OVERLAY)
        except grammar.Wrong as exc:
            given = (self.spec.get("network") or {}).get("name")
            where, right = (("network", "name"), "") if given else (("cluster_name",), ", or set network.name")
            self.problems.add(where, f"{exc}{right}")
        if self.network["driver"] != OVERLAY and self.network.get("encrypted"):
            what = f"nothing encrypts a network with driver {self.network['driver']}"
            self.problems.add(("network", "encrypted"), f"{what}; use driver {OVERLAY}, or leave it out")
        if self.network["driver"] in (OVERLAY, HOST_PORTS):
            return
        spread: t.Dict[str, t.Dict[str, None]] = {}
        for node in self.nodes.values():
            if flavors.facts(node["flavor"]).get("connected"):
                spread.setdefault(node["flavor"], {})[node["host"]] = None
        for flavor, hosts in spread.items():
            if len(hosts) > 1:
                what = f"a bridge joins the nodes of one Docker host, and those of flavor {flavor} would be on {', '.join(hosts)}"
                self.problems.add(("network", "driver"), f"{what}; use driver {OVERLAY} or {HOST_PORTS}, or put all on one")

    def _resolved_network(self) -> Data:
        """The network, with ``addresses``: where the Docker hosts reach one another, when they have to."""
        network = {key: self.network.get(key, self.addresses.gateway) for key in ("name", "subnet", "gateway", "chain_id", "driver")}
        between = len(self.hosts) > 1 and network["driver"] in (OVERLAY, HOST_PORTS)
        addresses = {host: self._address_of(host) for host in self.hosts} if between else {}
        for host, address in addresses.items():
            if network["driver"] == OVERLAY and not _is_ip(address):
                self.problems.add(
                    ("hosts", host, "address"), f"an overlay needs an IPv4 address of {host}, not the name {address}; set address"
                )
        return {**network, "encrypted": bool(self.network.get("encrypted")), "mtu": self.network.get("mtu"), "addresses": addresses}

    def _advertised(self, name: str) -> t.Dict[str, Data]:
        """Where other nodes reach ``name``, by port: ``inside`` for those on its Docker host, ``outside`` for the others."""
        node, (path, ports, _offset) = self.nodes[name], self.unsettled[name]
        found = {}
        for port in (key for key, value in ports.items() if value.get("between")):
            entry = node["ports"][port]
            inside = outside = grammar.authority(node["network_ip"], entry["container"])
            if self.network["driver"] == HOST_PORTS and len(self.hosts) > 1:
                outside = grammar.authority(self._address_of(node["host"]), entry["host"] or 0)
                if not entry["host"]:
                    text = f"the nodes on other Docker hosts reach {name} at this port; give it a host port"
                    self.problems.add((*path, "ports", port), text)
            found[port] = {"inside": inside, "outside": outside}
        return found

    def _address_of(self, host: str) -> str:
        """Where the other Docker hosts reach ``host``."""
        given = ((self.spec.get("hosts") or {}).get(host) or {}).get("address")
        address = given or self.hosts[host].get("ansible_host")
        if not given and "{{" in str(address):
            self.problems.add(
                ("hosts", host, "address"), f"the other Docker hosts must reach {host}, and ansible_host is a template; set address"
            )
        elif not address:
            self.problems.add(("hosts", host, "address"), f"the other Docker hosts must reach {host}, and nothing says where; set address")
        return str(address or LOOPBACK)

    def _check_names(self) -> None:
        """Names of nodes, Docker hosts, groups, containers and aliases must not get in each other's way."""
        groups = {*_TAKEN, *map(host_group, self.hosts)}
        for node in self.nodes.values():
            groups.update(node_groups(node))
        for host in self.hosts:
            if host in groups:
                self.problems.add(("hosts", host), f"'{host}' is the name of a group of the inventory; choose another")
        for name, node in self.nodes.items():
            path = ("nodes", self.origins[name])
            if name in groups:
                self.problems.add(path, f"'{name}' is the name of a group of the inventory; choose another")
            elif name in self.hosts:
                self.problems.add(path, f"'{name}' is the name of a Docker host too; choose another")
            self._check_container(path, name, node["container_name"])
            for alias in node["aliases"]:
                if alias != name and alias in self.nodes:
                    self.problems.add((*path, "aliases"), f"'{alias}' is the name of another node; choose another alias")

    def _check_container(self, path: Path, name: str, container: str) -> None:
        """The name of a node's container is one that the Engine takes, and no other node's."""
        try:
            grammar.object_name(container)
        except grammar.Wrong as exc:
            self.problems.add((*path, "container_name"), f"the container of {name} would be called so: {exc}")
        other = self.containers.setdefault(container, name)
        if other != name:
            text = f"{container} is the container of {other} too; give {name} another container_name"
            self.problems.add((*path, "container_name"), text)

    def _check_roles(self) -> None:
        """A role that no node has is fine when a flavor knows it, and a slip of the keyboard otherwise."""
        used = {node["role"] for node in self.nodes.values()}
        known = {*used, *allocation.ADDRESS_OFFSETS}
        for flavor in {node["flavor"] for node in self.nodes.values()}:
            known.update(flavors.facts(flavor).get("roles") or [])
        for role in self.roles:
            if self.nodes and role not in known:
                self.problems.add(("roles", role), f"no node has this role; {nearest(role, used)}")

    # -- the nodes of one entry ----------------------------------------------------------------------------------------------

    def _entry(self, key: str, given: Data) -> None:
        """One entry of ``nodes``: a node, or a range of nodes that differ in name, address and ports only."""
        path: Path = ("nodes", key)
        names = self._names(path, key)
        layers = self._layers(path, given) if names else None
        if layers is None:
            return
        fields, role = layers.fields, layers.role
        shared = self._shared(path, given, layers)
        by_role = {**layers.facts, **(self.roles.get(role) or {})}
        offsets = [by_role.get("address_offset"), by_role.get("port_offset")]
        address_offset = allocation.address_offset(role, self.addresses.subnet) if offsets[0] is None else offsets[0]
        port_offset = allocation.port_offset(role) if offsets[1] is None else offsets[1]
        aliases = fields.get("aliases") or []
        for single in ("network_ip", "container_name"):
            if len(names) > 1 and given.get(single):
                self.problems.add((*path, single), f"{len(names)} nodes cannot share it; leave it out, or write the nodes one by one")
                return
        for name in names:
            if name in self.nodes:
                self.problems.add(path, f"{name} is there already, as '{self.origins[name]}'; keep one of the two")
                continue
            self.origins[name] = key
            place = allocation.place(name)
            self.nodes[name] = {
                **shared,
                "name": name,
                "ordinal": allocation.ordinal(name),
                "container_name": given.get("container_name") or self.prefix + name,
                "network_ip": self.addresses.given(path, name, given["network_ip"])
                if given.get("network_ip")
                else self.addresses.allocated(path, name, role, address_offset + place),
                "aliases": list(dict.fromkeys([name, *aliases])),
                "ports": {},
                "advertised": {},
            }
            self.candidates.append(self._candidate(self.nodes[name], (fields.get("placement") or {}).get("labels") or {}))
            if layers.ports:
                self.unsettled[name] = (path, layers.ports, port_offset + place)

    def _candidate(self, node: Data, labels: t.Mapping[str, str]) -> placement.Candidate:
        """A node for its placement; what it asks for is what its container will be limited to."""
        asked = {**RESOURCES, **{key: value for key, value in node["resources"].items() if value is not None}}
        # What has no limit asks for nothing in particular.
        asked = {key: 0 if value == grammar.UNLIMITED else value for key, value in asked.items()}
        return placement.Candidate(
            name=node["name"],
            role=node["role"],
            power=node["voting_power"],
            cpus=asked["cpus"],
            memory=size(asked["memory"]) or 0 if asked["memory"] else 0,
            labels=labels,
            host=node["host"],
            recorded=self.recorded.get(node["name"]),
        )

    def _docker_host(self, name: str) -> placement.Place:
        """A Docker host for the placement."""
        given = (self.spec.get("hosts") or {}).get(name) or {}
        capacity = given.get("capacity") or {}
        memory = size(capacity.get("memory"))
        return placement.Place(name, capacity.get("cpus"), memory, capacity.get("max_nodes"), given.get("labels") or {})

    def _place_nodes(self) -> None:
        """Give every node its Docker host, and then its host ports."""
        places = [self._docker_host(name) for name in self.hosts]
        placed = placement.place(self.candidates, places)
        for name, text in placed.problems:
            self.problems.add(("nodes", self.origins[name]), text)
        self.warnings = placed.warnings
        on_host = collections.Counter(placed.hosts.get(name) or next(iter(self.hosts)) for name in self.nodes)
        for host, count in on_host.items():
            if count > self._most_on_a_host():
                text = f"{host} would have {count:,} nodes, more than the {self._most_on_a_host():,} that one can have ({BRIDGE_RULE})"
                self.problems.add(("hosts", host), f"{text}; put some elsewhere")
        if len(self.hosts) > 1:
            self.unrecorded = [one.name for one in self.candidates if not (one.host or one.recorded)]
        for name, node in self.nodes.items():
            node["host"] = placed.hosts.get(name) or next(iter(self.hosts))
            if name in self.unsettled:
                path, ports, offset = self.unsettled[name]
                node["ports"] = self.ports.settled(path, name, node["host"], ports, offset)
                node["advertised"] = self._advertised(name)

    def _names(self, path: Path, key: str) -> t.List[str]:
        """The names that an entry stands for; none when they cannot be used."""
        try:
            names = expand(key)
        except RangeError as exc:
            self.problems.add(path, str(exc))
            return []
        invalid = next((name for name in (names[0], names[-1]) if not NAME.match(name)), None)
        if invalid is not None:
            self.problems.add(path, f"{kind(invalid)} is not a valid name; {NAME_RULE}")
            return []
        each = self._most_on_a_host()
        if len(self.nodes) + len(names) > each * len(self.hosts):
            what = f"more than {each * len(self.hosts):,} nodes, {each:,} for each Docker host ({BRIDGE_RULE})"
            self.problems.add(("nodes",), f"{what}; use fewer nodes, or more Docker hosts")
            return []
        return names

    def _most_on_a_host(self) -> int:
        """How many nodes one Docker host can have."""
        return grammar.BRIDGE_PORTS - int(self.network["driver"] == OVERLAY)

    def _layers(self, path: Path, given: Data) -> t.Optional[_Layers]:
        """All that is said of an entry: flavor, top level, defaults, role, the entry itself; each wins over those before."""
        role = given.get("role") or self.defaults.get("role")
        flavor, place = self._flavor(path, given, role)
        known = flavors.known()
        if flavor not in known:
            self.problems.add(place, f"unknown flavor '{flavor}'; {nearest(flavor, known)}")
            return None
        facts = flavors.facts(flavor)
        allowed: t.List[str] = facts.get("roles") or []
        if role is None:
            role = facts.get("default_role") or (allowed[0] if allowed else "service")
        elif allowed and role not in allowed:
            where = (*self._place(path, role, "role"), "role")
            self.problems.add(where, f"the flavor {flavor} has no role '{role}'; {nearest(role, allowed)}")
        facts = flavors.facts_of(flavor, role)
        layers = (facts.get("defaults") or {}, self.top, self.defaults, self.roles.get(role) or {}, given)
        fields: Data = {"config": {key: setting["default"] for key, setting in (facts.get("config") or {}).items() if "default" in setting}}
        for layer in layers:
            # An image is one thing: half of one and half of another would be neither.
            below = {key: value for key, value in fields.items() if not (key == "image" and layer.get("image"))}
            fields = merged(below, {key: value for key, value in layer.items() if key not in ("ports", "ready")})
            if layer.get("ready"):
                fields["ready"] = {**fields.get("ready", {}), **layer["ready"]}
        self._check_config(path, role, fields["config"], facts, flavor)
        fields["config"] = plain(fields["config"])
        return _Layers(fields, self._ports(path, facts, layers), facts, flavor, role)

    def _flavor(self, path: Path, given: Data, role: t.Optional[str]) -> t.Tuple[str, Path]:
        """The flavor of an entry, and where the spec says so."""
        by_role = (self.roles.get(role) or {}) if role else {}
        if given.get("flavor"):
            return given["flavor"], (*path, "flavor")
        if by_role.get("flavor"):
            return by_role["flavor"], ("roles", role or "", "flavor")
        if self.defaults.get("flavor"):
            return self.defaults["flavor"], ("defaults", "flavor")
        return self.top["flavor"], ("flavor",)

    def _place(self, path: Path, role: str, *keys: str) -> Path:
        """The layer that has the last word on the field ``keys`` of the entry at ``path``."""
        for place in (path, ("roles", role), ("defaults",), ()):
            here: t.Any = self.spec
            for part in (*place, *keys):
                here = here.get(part) if isinstance(here, dict) else None
            if here is not None:
                return tuple(place)
        return path

    def _check_config(self, path: Path, role: str, config: Data, facts: t.Mapping[str, t.Any], flavor: str) -> None:
        """Settings that the flavor does not have, or of another type; a flavor that declares none takes any."""
        settings: Data = facts.get("config") or {}
        for place, text in odd_places(config):
            self.problems.add((*self._place(path, role, "config", str(place[0])), "config", *place), text)
        for key in config:
            # A word such as NO is text for a setting that is text.
            if isinstance(config[key], WrittenBool):
                of_text = settings.get(key, {}).get("type") == "str"
                config[key] = str(config[key]) if of_text else config[key].value
        for key, value in config.items() if settings else ():
            where = (*self._place(path, role, "config", key), "config", key)
            if key not in settings:
                self.problems.add(where, f"the flavor {flavor} has no such setting; {nearest(key, settings)}")
                continue
            types, words = _TYPES.get(settings[key].get("type", ""), ((object,), ""))
            if not isinstance(value, types) or (isinstance(value, bool) and bool not in types and object not in types):
                self.problems.add(where, f"expected {words}, got {kind(value)}; {settings[key].get('description', 'see the flavor')}")
            choices = settings[key].get("choices")
            if choices and value not in choices:
                self.problems.add(where, f"{kind(value)} is not one of the choices; use {', '.join(map(str, choices))}")

    def _ports(self, path: Path, facts: t.Mapping[str, t.Any], layers: t.Sequence[t.Mapping[str, t.Any]]) -> t.Dict[str, Data]:
        """The ports of an entry: name -> {container, host or base, address, protocol}."""
        # A flavor calls the base of the allocated host ports `host`.
        by_flavor: t.Dict[str, Data] = facts.get("ports") or {}
        ports = {name: {("base" if key == "host" else key): value for key, value in port.items()} for name, port in by_flavor.items()}
        named = {name for layer in layers for name in layer.get("ports") or ()}
        named.update(name for key, name in _PORT_KEYS.items() if any(layer.get(key) is not None for layer in layers))
        ports = {name: port for name, port in ports.items() if not port.pop("optional", False) or name in named}
        for layer in layers:
            ports = allocation.merged_ports(ports, layer.get("ports"))
            for key, name in _PORT_KEYS.items():
                if layer.get(key) is not None:
                    ports = allocation.merged_ports(ports, {name: {"host": layer[key]}})
        for name, port in ports.items():
            if self.network["driver"] == HOST_PORTS and port.get("between") and not {"host", "base"} & set(port):
                port.update(base=port["between"], address=port.get("address") or allocation.EVERYWHERE)
            port["container"] = port.get("container") or port.get("host") or port.get("base")
            if not port["container"]:
                text = "neither the container's nor the host's port is given; write it as '8080:80' (host:container)"
                self.problems.add((*path, "ports", name), text)
        return ports

    def _host(self, path: Path, role: str, host: t.Optional[str]) -> t.Optional[str]:
        """The Docker host that the spec names for an entry, if it does."""
        if host is not None and host not in self.hosts:
            self.problems.add((*self._place(path, role, "host"), "host"), f"unknown Docker host '{host}'; {nearest(host, self.hosts)}")
            return next(iter(self.hosts))
        return host

    def _image(self, path: Path, layers: _Layers) -> t.Optional[Data]:
        """The image of an entry, with paths that hold wherever the playbook runs."""
        image = layers.fields.get("image") or {}
        if "image" in (layers.facts.get("requires") or []) and not image.get("name"):
            where = (*path, "image", "name") if image else (*path, "image")
            self.problems.add(where, f"missing, and the flavor {layers.flavor} has no image of its own; add it, here or for all nodes")
        for key in ("context", "archive"):
            if image.get(key):
                image = {**image, key: self._beside(image[key])}
        return {key: value for key, value in image.items() if value is not None} or None

    def _beside(self, path: t.Optional[str]) -> t.Optional[str]:
        """A path of the spec, which is relative to the spec's folder, as one that holds wherever the playbook runs."""
        return os.path.normpath(os.path.join(self.folder, os.path.expanduser(path))) if path else None

    def _shared(self, path: Path, given: Data, layers: _Layers) -> Data:
        """The part of ``gravity_node`` that all nodes of an entry have in common."""
        fields, role = layers.fields, layers.role
        if role != "validator" and given.get("voting_power"):
            self.problems.add((*path, "voting_power"), f"a {role} has no vote; leave it out, or make the node a validator")
        ready = readiness.combined(fields.get("ready") or {}, layers.facts.get("readiness") or {})
        readiness.check((*path, "ready"), ready, self.problems)
        self._check_places(path, fields)
        return {
            "role": role,
            "flavor": layers.flavor,
            "host": self._host(path, role, fields.get("host")),
            "voting_power": (fields.get("voting_power") or 1) if role == "validator" else 0,
            "image": self._image(path, layers),
            **{key: fields.get(key) or {} for key in MAPPED},
            **{key: fields.get(key) or [] for key in LISTED},
            **{key: fields.get(key) for key in ("tmpfs", *REPLACED)},
            "volumes": [{"read_only": False, **volume} for volume in fields.get("volumes") or []],
            "binds": [{"read_only": True, **bind} for bind in fields.get("binds") or []],
            "log": dict(fields.get("log") or {}),
            "files": [{"mode": "0644", **file} for file in fields.get("files") or []],
            "resources": {"cpus": None, "memory": None, "pids": None, **(fields.get("resources") or {})},
            "ready": ready,
            "config": fields["config"],
            "config_dir": self._beside(fields.get("config_dir")),
            "log_files": fields.get("log_files") or [],
            "storage": {"clear": [], "keep": [], **(fields.get("storage") or {})},
            "rpc_url": None,
        }

    def _check_places(self, path: Path, fields: Data) -> None:
        """Two things at one place of the container: the one would hide the other."""
        mounted = [mount["target"] for key in ("volumes", "binds") for mount in fields.get(key) or []]
        mounted += [entry.partition(":")[0] for entry in fields.get("tmpfs") or []]
        for target in sorted(_twice(mounted)):
            self.problems.add((*path, "volumes"), f"two things are mounted on {target}; keep one of them")
        for file in sorted(_twice([file["path"] for file in fields.get("files") or []])):
            self.problems.add((*path, "files"), f"the file {file} is given twice; keep one of them")

    def _make_ready(self, validators: t.Mapping[str, int]) -> None:
        """Fill in, for every node, where it is asked and what its conditions compare with."""
        peers = readiness.QuorumPeers(validators)
        # A Docker host has no address of its own in an overlay.
        inside = self.network["driver"] != OVERLAY
        for name, node in self.nodes.items():
            if "rpc" in node["ports"]:
                node["rpc_url"] = f"http://{grammar.authority(*readiness.reachable(node, node['ports']['rpc']))}"
            if node["ready"]["probes"] or node["ready"]["conditions"]:
                values = {"$chain_id": self.network["chain_id"], "$quorum_peers": peers.of(node["voting_power"])}
                node["ready"] = readiness.resolved(("nodes", self.origins[name], "ready"), node, values, self.problems, inside)
