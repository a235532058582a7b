#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: containers
short_description: Reconcile the containers of a cluster on one Docker host
version_added: 0.1.0
author:
  - gravity.cluster maintainers (@gravity)
description:
  - Brings the network, volumes, config files and containers of one cluster on one Docker host to what is defined, all in one call
    and side by side.
  - Looks first, plans, checks the whole plan for what would make it fail, and only then changes anything. In check mode the same plan
    is reported instead of applied.
  - Every change has a reason, such as V(memory 1g -> 2g). Only what a definition sets is compared, and what an earlier definition
    had set.
  - Objects without the label of the cluster are never touched.
  - Containers are safe unless a definition says otherwise. They run with all capabilities dropped, no new privileges, a read-only root
    file system with a tmpfs at C(/tmp), rotated logs and ports published on 127.0.0.1.
attributes:
  check_mode:
    support: full
    description: Reports the plan that would be applied, after the same checks.
  diff_mode:
    support: full
    description: Shows what changes per container, network and volume, and the text of changed config files.
  idempotent:
    support: full
    description: A second run changes nothing. States V(restarted) and V(recreated) act every time, as their names say.
options:
  cluster:
    description: Name of the cluster. Its objects carry it as a label.
    type: str
    required: true
  state:
    description:
      - V(started) makes the containers as defined, and running.
      - V(present) makes them as defined; new ones are not started, running ones keep running.
      - V(stopped) stops them. Nothing is created or compared.
      - V(restarted) stops and starts them; with O(containers), those that differ from their definitions are made anew instead.
      - V(recreated) makes them anew, whether they differ or not, and starts them.
      - V(absent) stops and removes them, and removes the network with the last of them. Volumes stay, unless O(purge).
    type: str
    choices: [started, present, stopped, restarted, recreated, absent]
    default: started
  nodes:
    description:
      - Names of nodes. With O(containers), only these of them are meant.
      - Without O(containers), V(started), V(stopped), V(restarted) and V(absent) work on the existing containers of these nodes.
      - When neither is given, V(stopped), V(restarted) and V(absent) mean the whole cluster on this Docker host.
        V(absent) then also removes one-off helpers that were left behind. An empty list means no node.
    type: list
    elements: str
  network:
    description:
      - The network that the containers join. It is made when it is missing, and made anew when it differs and nothing runs in it.
    type: dict
    suboptions:
      name:
        description: Name of the network.
        type: str
        required: true
      subnet:
        description: Its subnet, such as V(172.20.0.0/24).
        type: str
      gateway:
        description: Address of its gateway, inside O(network.subnet).
        type: str
      driver:
        description: Its driver.
        type: str
        default: bridge
      internal:
        description: Whether it has no way out.
        type: bool
        default: false
      attachable:
        description: Whether containers may join a network of the whole swarm.
        type: bool
        default: false
      options:
        description: Options of the driver.
        type: dict
        default: {}
      external:
        description: Whether it is made by others. It must exist, is not compared, and never removed.
        type: bool
        default: false
      id:
        description: Id of an external network of a swarm. With it the network need not be seen, as an Engine that is no manager only
          shows it while a container is in it.
        type: str
  containers:
    description:
      - The complete definitions of containers. What is left out is what the image or the Engine gives.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the container.
        type: str
        required: true
      node:
        description: Name of the node; the container's name when it is not given.
        type: str
      role:
        description: Role of the node.
        type: str
      flavor:
        description: Flavor of the node.
        type: str
      image:
        description: Image; it must be on the Docker host. Names are resolved, so that a new image of the same name counts as a change.
        type: str
        required: true
      command:
        description: Arguments of the entry point.
        type: list
        elements: str
      entrypoint:
        description: Entry point.
        type: list
        elements: str
      env:
        description: Environment variables. Diffs leave their values out, but whoever may use the Engine can read them; no secrets here.
        type: dict
        default: {}
      user:
        description:
          - User as V(uid:gid) or by name.
          - With numbers, this user owns the config files and the root folders of volumes that are made together with the container.
        type: str
      hostname:
        description: Host name inside the container.
        type: str
      network_ip:
        description: Static address in O(network).
        type: str
      aliases:
        description: Names by which others in O(network) find it.
        type: list
        elements: str
        default: []
      ports:
        description: Its ports.
        type: list
        elements: dict
        default: []
        suboptions:
          container:
            description: Port inside the container.
            type: int
            required: true
          host:
            description: Port on the Docker host; not published when it is not given.
            type: int
          address:
            description: Address on the Docker host.
            type: str
            default: 127.0.0.1
          protocol:
            description: Protocol.
            type: str
            choices: [tcp, udp, sctp]
            default: tcp
      volumes:
        description:
          - Named volumes; missing ones are made.
          - A path for which the image asks (C(VOLUME /state)), and for which there is neither a volume nor a tmpfs here, gets a volume
            C(<container>-image-state). A container that runs with a nameless volume there keeps that one, also when it is replaced.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name of the volume.
            type: str
            required: true
          target:
            description: Where it is mounted.
            type: str
            required: true
          read_only:
            description: Whether it is mounted read-only.
            type: bool
            default: false
      tmpfs:
        description:
          - Folders in memory, with options after a colon, such as V(/tmp:size=64m).
          - When it is not given, V(/tmp), if the root file system is read-only.
        type: list
        elements: str
      files:
        description:
          - Config files, written before the container starts. A changed one makes the container anew.
          - A file that is no longer defined stays on its volume.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description: Absolute path, below a volume (which the container itself may only read) or on a writable root file system.
            type: str
            required: true
          content:
            description: Its text. It is in no result and no log, but in a diff unless O(containers[].files[].secret).
            type: str
            required: true
          mode:
            description: Its permissions, octal, in quotes. The default is V(0644), and V(0400) for a secret.
            type: str
          secret:
            description: Whether it is a secret. No diff shows its text, as with every file that not all in the container may read.
            type: bool
            default: false
      labels:
        description: Labels of your own.
        type: dict
        default: {}
      cpus:
        description: How many CPUs it may use.
        type: float
      memory:
        description: How much memory it may use, such as V(512m) or V(2g).
        type: str
      pids:
        description: How many processes and threads it may have.
        type: int
      cap_add:
        description: Capabilities that it keeps.
        type: list
        elements: str
        default: []
      read_only:
        description: Whether its root file system is read-only.
        type: bool
        default: true
      init:
        description: Whether the Engine's init runs as its first process, passes signals on and reaps what its children leave.
        type: bool
        default: true
      restart:
        description: When the Engine starts it again; V(no), V(always), V(unless-stopped), V(on-failure) or V(on-failure:5).
        type: str
        default: unless-stopped
      stop_grace:
        description: Seconds that it has to stop before it is killed.
        type: int
        default: 30
      stop_signal:
        description: Signal that asks it to stop.
        type: str
      health:
        description: Health check.
        type: dict
        suboptions:
          test:
            description: Command as a list, or a text for the container's shell.
            type: raw
            required: true
          interval:
            description: Time between two checks, such as V(5s).
            type: str
          timeout:
            description: Time after which a check has failed.
            type: str
          retries:
            description: How many checks in a row must fail.
            type: int
          start_period:
            description: Time in which failed checks do not count.
            type: str
      log:
        description: Rotation of its log.
        type: dict
        suboptions:
          max_size:
            description: Size of one file, such as V(10m).
            type: str
            default: 10m
          max_file:
            description: How many files are kept.
            type: int
            default: 3
      ulimits:
        description: Name to limit; a number, V(soft:hard), or a mapping with C(soft) and C(hard).
        type: dict
        default: {}
      sysctls:
        description: Kernel parameters of the container, of those that it has for itself.
        type: dict
        default: {}
      extra_hosts:
        description: Name to address, for the container's hosts file. The address V(host-gateway) is the Docker host.
        type: dict
        default: {}
      working_dir:
        description: Folder that its process starts in.
        type: str
      shm_size:
        description: Size of C(/dev/shm), such as V(256m).
        type: str
      group_add:
        description: More groups of its process, by number, or by name in the image.
        type: list
        elements: str
        default: []
      security_opt:
        description: Security options, V(no-new-privileges=false), V(seccomp=unconfined), V(apparmor=profile) or V(label=option).
        type: list
        elements: str
        default: []
      devices:
        description: Devices of the Docker host, such as V(/dev/fuse) or V(/dev/ttyUSB0:/dev/tty0:rw).
        type: list
        elements: str
        default: []
      gpus:
        description: GPUs, V(all), a number, or some of them as V(device=0,1).
        type: str
      binds:
        description:
          - Files and folders of the Docker host. They must be there, and whatever may write them changes the Docker host.
        type: list
        elements: dict
        default: []
        suboptions:
          source:
            description: Absolute path on the Docker host.
            type: str
            required: true
          target:
            description: Where it is mounted.
            type: str
            required: true
          read_only:
            description: Whether it is mounted read-only.
            type: bool
            default: true
      genesis:
        description: Digest of the genesis that it belongs to. Volumes of another genesis are refused.
        type: str
  prune:
    description: Whether containers of nodes that are not in O(containers) are removed. Only for a call with all nodes of this Docker host.
    type: bool
    default: false
  purge:
    description:
      - Whether V(absent) also removes the volumes. Their data is lost.
      - Without it no volume of a node is removed, nameless ones included; those are warned of, as no later container finds them.
    type: bool
    default: false
  adopt_volumes:
    description:
      - Names of volumes without labels of ours that nodes may take, such as volumes that were restored without their labels. Others are
        refused. The container that mounts one tells later calls that it belongs to its node; once that is removed, name the volume again.
      - O(purge) does not remove them. A volume of another cluster is never taken.
    type: list
    elements: str
    default: []
  rollback:
    description: Whether a run that fails removes what it created. What it made anew stays.
    type: bool
    default: false
  concurrency:
    description: How many containers are worked on at a time.
    type: int
    default: 8
  stop_grace:
    description: Seconds that every container has to stop, instead of its own O(containers[].stop_grace).
    type: int
  keep_running:
    description:
      - Names of nodes that must not go down in this call. What runs of them and would have to be restarted or made anew is left
        as it is and listed in RV(deferred), so that it can be done one at a time.
    type: list
    elements: str
    default: []
  keep_roles:
    description:
      - Roles of nodes that O(prune) must not take down in this call. What runs of them and is not in the list any more is listed in
        RV(deferred) as well.
    type: list
    elements: str
    default: []
  origin:
    description:
      - What tells the spec, in which the nodes are written, from others with the same name of a cluster. New containers and volumes
        carry it as the label C(gravity.cluster.origin), which is not compared.
      - With it, O(prune), and V(absent) for the whole cluster, are refused when they would remove nodes that are not in O(known), and
        that another spec made; or that do not say which, while none of O(known) is on this Docker host.
    type: str
    default: ''
  known:
    description: Names of all nodes of the spec, also those on other Docker hosts.
    type: list
    elements: str
    default: []
  takeover:
    description: Whether nodes of another O(origin) are removed all the same.
    type: bool
    default: false
extends_documentation_fragment:
  - gravity.cluster.engine
seealso:
  - module: gravity.cluster.cluster_info
  - module: gravity.cluster.rpc_ready
"""

EXAMPLES = r"""
- name: Run two containers in a network of their own
  gravity.cluster.containers:
    cluster: demo
    network:
      name: demo
      subnet: 172.30.0.0/24
    containers:
      - name: demo_web
        node: web
        image: example/web:1
        user: "10001:10001"
        network_ip: 172.30.0.10
        memory: 256m
        ports:
          - {container: 8080, host: 8080}
        volumes:
          - {name: demo_web-data, target: /data}
        files:
          - path: /data/config.toml
            content: |
              listen = "0.0.0.0:8080"
      - name: demo_store
        node: store
        image: example/store:1
        network_ip: 172.30.0.11

- name: Restart one node
  gravity.cluster.containers:
    cluster: demo
    nodes: [web]
    state: restarted

- name: Remove the cluster, keep its data
  gravity.cluster.containers:
    cluster: demo
    state: absent
"""

RETURN = r"""
nodes:
  description: What was done, or in check mode would be done, with every node. Also returned when some of them failed.
  returned: unless refused
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      type: str
    container:
      description: Name of the container.
      type: str
    action:
      description: C(create), C(start), C(stop), C(restart), C(recreate), C(remove), C(connect) or C(none).
      type: str
    reasons:
      description: Why.
      type: list
      elements: str
      sample: [memory 1g -> 2g]
    state:
      description: State afterwards; C(stopped), C(starting), C(running), C(unhealthy), C(error) or C(absent).
      type: str
    ok:
      description: Whether it was done.
      type: bool
    error:
      description: Why it was not.
      type: str
    files:
      description: The digests of its config files that the container's label holds, by path.
      type: dict
deferred:
  description: Names of the nodes that differ from their definitions and were left running; see O(keep_running) and O(keep_roles).
  returned: unless refused
  type: list
  elements: str
network:
  description: What was done with the network; none when there was nothing to do with it.
  returned: unless refused
  type: dict
  contains:
    name:
      description: Name of the network.
      type: str
    action:
      description: C(create), C(recreate), C(remove) or C(none).
      type: str
    reasons:
      description: Why.
      type: list
      elements: str
    error:
      description: Why it was not done.
      type: str
volumes:
  description: Volumes that were made or removed, with C(name), C(node), C(action) and C(error).
  returned: unless refused
  type: list
  elements: dict
rolled_back:
  description: What O(rollback) removed again.
  returned: unless refused
  type: list
  elements: str
problems:
  description: Why the call was refused, one line per problem. Nothing was changed.
  returned: when refused
  type: list
  elements: str
"""

from ansible_collections.gravity.cluster.plugins.module_utils._edge import run_module
from ansible_collections.gravity.cluster.plugins.module_utils._reconcile import ARGUMENTS, reconcile


def main() -> None:
    """Edge of the module."""
    run_module(ARGUMENTS, reconcile)


if __name__ == "__main__":
    main()
