# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes: questions to nodes over HTTP, TCP or the Docker Engine. Every probe ends in an :class:`Answer`, never in an exception."""

from __future__ import annotations

import errno
import select
import socket
import threading
import time
import typing as t
from urllib.parse import urlsplit

from ansible_collections.gravity.cluster.plugins.module_utils._answers import SlowAnswer, UnusableAnswer, clean, decode, quantity, read_body
from ansible_collections.gravity.cluster.plugins.module_utils._engine import Engine, explain, root_cause
from ansible_collections.gravity.cluster.plugins.module_utils._sight import Answer
from ansible_collections.gravity.cluster.plugins.module_utils._targets import Probe, Target

try:
    import requests
    import requests.adapters
    import requests.exceptions
    import urllib3.exceptions
except ImportError:  # pragma: no cover - the Engine reports it: the Docker SDK needs requests
    pass

# No answer that we ask for is longer (bytes).
LONGEST = 4 * 1024 * 1024

# Longest name of a chain and longest hash of a block that are believed (characters).
LONGEST_NAME = 80

# How long a TCP connection must stay open to count (seconds). Docker's proxy for published ports accepts every
# connection and closes it at once when nothing listens in the container.
STAYS_OPEN = 0.04

Key = t.TypeVar("Key")
Result = t.TypeVar("Result")


class ProbeError(Exception):
    """No usable answer. ``cause`` is one of those of :class:`Answer`."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message


class Web:
    """One HTTP connection that ignores proxies and everything else in the environment. For one thread."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._used = False
        self._session = requests.Session()
        # A proxy in the environment must not come between us and the nodes.
        self._session.trust_env = False
        self._session.headers["User-Agent"] = "gravity.cluster"
        # A packed answer of kilobytes can be one of gigabytes.
        self._session.headers["Accept-Encoding"] = "identity"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0))

    def status(self, url: str) -> int:
        """The status code of a GET; redirects are not followed."""
        return self._request("GET", url)[0]

    def get(self, url: str) -> t.Any:
        """The JSON that a GET returns."""
        return self._json(url, *self._request("GET", url))

    def post(self, url: str, body: t.Any) -> t.Any:
        """The JSON that a POST of ``body`` as JSON returns."""
        return self._json(url, *self._request("POST", url, body))

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _request(self, method: str, url: str, body: t.Any = None) -> t.Tuple[int, bytes]:
        used = self._used
        if not used:
            knock(url, self._timeout)
        try:
            return self._sent(method, url, body)
        except ProbeError as exc:
            if exc.cause != "reset" or not used:
                raise
        # The server may have closed the connection after an earlier answer, just when we used it again: ask on a new one.
        self._session.close()
        return self._sent(method, url, body)

    def _sent(self, method: str, url: str, body: t.Any) -> t.Tuple[int, bytes]:
        try:
            with self._session.request(
                method, url, json=body, timeout=(self._timeout, self._timeout), allow_redirects=False, stream=True
            ) as response:
                # Reading it all lets the connection be used again.
                content = read_body(response.raw, self._timeout, LONGEST)
        except UnusableAnswer as exc:
            self._used = False
            raise ProbeError("protocol", f"{place(url)}: its answer is {exc}") from None
        except SlowAnswer:
            self._used = False
            raise ProbeError("timeout", f"{place(url)} does not answer within {self._timeout:g} s") from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as exc:
            self._used = False
            raise classify(exc, url, self._timeout) from exc
        self._used = True
        return response.status_code, content

    @staticmethod
    def _json(url: str, status: int, content: bytes) -> t.Any:
        try:
            return decode(content)
        except UnusableAnswer as exc:
            if str(exc) != "no JSON":
                raise
            raise ProbeError("protocol", f"{place(url)} answers HTTP {status} without JSON") from None


def knock(url: str, timeout: float) -> None:
    """Raise :class:`ProbeError` when nothing listens at ``url``.

    A library for HTTP spends milliseconds on a refused connection, a socket microseconds. While many nodes start, most
    connections are refused, and they need the processor themselves.
    """
    parts = urlsplit(url)
    try:
        address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        with socket.create_connection(address, timeout=timeout):
            return
    except (OSError, ValueError) as exc:
        raise classify(exc, url, timeout) from exc


def classify(exc: BaseException, url: str, timeout: float) -> ProbeError:
    """Why a request to ``url`` has no answer, in one line."""
    reason = root_cause(exc)
    number = _errno(exc)
    where = place(url)
    if number == errno.ECONNREFUSED:
        return ProbeError("refused", f"{where} refuses connections")
    if number in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return ProbeError("unreachable", f"{where} cannot be reached ({reason})")
    if isinstance(exc, (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, socket.timeout)):
        return ProbeError("timeout", f"{where} does not answer within {timeout:g} s")
    if number in (errno.ECONNRESET, errno.EPIPE) or "without response" in str(exc):
        return ProbeError("reset", f"{where} closes connections without an answer")
    return ProbeError("protocol", f"{where}: {reason}")


def place(url: str) -> str:
    """``port 8545`` for this machine, ``10.0.0.1:8545`` elsewhere."""
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        port = 0
    return _place(parts.hostname or "", port)


def _place(host: str, port: int) -> str:
    return f"port {port}" if host in ("127.0.0.1", "localhost", "::1") else f"{host}:{port}"


def _errno(exc: BaseException) -> t.Optional[int]:
    """The innermost errno of a chain of exceptions."""
    seen: t.Set[int] = set()
    number = None
    current: t.Optional[BaseException] = exc
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, OSError) and isinstance(current.errno, int):
            number = current.errno
        following = current.__cause__ or current.__context__
        if following is None:
            following = next((arg for arg in current.args if isinstance(arg, BaseException)), None)
        if following is None:
            following = getattr(current, "reason", None)
        current = following if isinstance(following, BaseException) else None
    return number


class Prober:
    """Asks one probe of one node again and again, over one connection. For one thread at a time."""

    def __init__(self, target: Target, probe: Probe, engine: t.Optional[Engine], clock: t.Callable[[], float] = time.monotonic) -> None:
        self.target = target
        self.probe = probe
        self._engine = engine
        self._clock = clock
        self._web: t.Optional[Web] = None
        self._batch = True
        # A node that speaks Ethereum JSON-RPC knows its peers; CometBFT's own list of them is long.
        self._wants_peers = not any(other.type == "eth" for other in target.probes)

    def ask(self) -> Answer:
        """Ask once."""
        at = self._clock()
        try:
            return self._asked(at)
        except ProbeError as exc:
            return Answer(at, clean(exc.message), exc.cause)
        except UnusableAnswer as exc:
            return Answer(at, clean(f"{place(self.probe.url)}: its answer is {exc}"), "protocol")
        except Exception as exc:  # noqa: BLE001 - whatever a node answers must not end the wait for the others
            return Answer(at, clean(f"{self.probe.name}: {type(exc).__name__}: {root_cause(exc)}"), "protocol")

    def block_hash(self, height: int) -> t.Optional[str]:
        """The hash of the block at ``height``, None when the node has none or does not say."""
        try:
            if self.probe.type == "eth":
                block = self._call([("eth_getBlockByNumber", [hex(height), False])])[0]
                return _text(_item(block, "result", "hash"))
            reply = self._connection().get(f"{self.probe.url}/block?height={height}")
            return _text(_item(reply, "result", "block_id", "hash"))
        except (ProbeError, UnusableAnswer):
            return None

    def close(self) -> None:
        """Close the connection."""
        if self._web is not None:
            self._web.close()

    def _asked(self, at: float) -> Answer:
        if self.probe.type == "eth":
            return self._eth(at)
        if self.probe.type == "cometbft":
            return self._cometbft(at)
        if self.probe.type == "http":
            return Answer(at, status=self._connection().status(self.probe.url))
        if self.probe.type == "tcp":
            check_open(self.probe.host, self.probe.port, self.probe.timeout)
            return Answer(at)
        return self._exec(at)

    def _connection(self) -> Web:
        if self._web is None:
            self._web = Web(self.probe.timeout)
        return self._web

    def _call(self, calls: t.Sequence[t.Tuple[str, t.List[t.Any]]]) -> t.List[t.Any]:
        """JSON-RPC replies in the order of ``calls``: one request for all, or one each where the node knows no batches."""
        requests_ = [{"jsonrpc": "2.0", "id": index, "method": method, "params": params} for index, (method, params) in enumerate(calls)]
        found = self._batched(requests_) if self._batch else {}
        asked_singly = [request for request in requests_ if request["id"] not in found]
        # Some nodes know no batches, others leave answers out.
        singles = {request["id"]: self._connection().post(self.probe.url, request) for request in asked_singly}
        # Only now it is known that the node speaks JSON-RPC, but not in batches.
        if not found and any(_item(reply, "result") is not None for reply in singles.values()):
            self._batch = False
        return [found[index] if index in found else singles[index] for index in range(len(calls))]

    def _batched(self, requests_: t.List[t.Dict[str, t.Any]]) -> t.Dict[int, t.Any]:
        """The replies to one request for all, by id; those that are no reply to one of them are left out.

        A node that refuses batches answers with one error, in a list or not, with the id null or without.
        """
        replies = self._connection().post(self.probe.url, requests_)
        if not isinstance(replies, list):
            return {}
        by_id: t.Dict[int, t.Any] = {}
        for reply in replies:
            index = _item(reply, "id")
            if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(requests_):
                by_id.setdefault(index, reply)
        # The error of a refused batch may carry the id of its first request.
        return by_id if any(_item(reply, "result") is not None for reply in by_id.values()) else {}

    def _eth(self, at: float) -> Answer:
        chain, number, block, syncing, peers = self._call(
            [
                ("eth_chainId", []),
                ("eth_blockNumber", []),
                ("eth_getBlockByNumber", ["latest", False]),
                ("eth_syncing", []),
                ("net_peerCount", []),
            ]
        )
        chain_id = quantity(_item(chain, "result"), "chain id")
        height = quantity(_item(number, "result"), "height")
        if chain_id is None and height is None:
            raise ProbeError("rpc", f"{place(self.probe.url)} {_refusal(chain)}")
        progress = _item(syncing, "result")
        block_height = quantity(_item(block, "result", "number"), "height")
        return Answer(
            at,
            chain_id=chain_id,
            # That of the block, so that height and hash belong together even when a block came in between.
            height=block_height if block_height is not None else height,
            highest=quantity(_item(progress, "highestBlock"), "highest block"),
            peers=quantity(_item(peers, "result"), "number of peers"),
            syncing=None if progress is None else progress is not False,
            block_hash=_text(_item(block, "result", "hash")),
        )

    def _cometbft(self, at: float) -> Answer:
        calls: t.List[t.Tuple[str, t.List[t.Any]]] = [("status", [])]
        if self._wants_peers:
            calls.append(("net_info", []))
        replies = self._call(calls)
        result = _item(replies[0], "result")
        network, sync = _text(_item(result, "node_info", "network")), _item(result, "sync_info")
        if network is None and not isinstance(sync, dict):
            raise ProbeError("rpc", f"{place(self.probe.url)} {_refusal(replies[0])}")
        catching_up = _item(sync, "catching_up")
        return Answer(
            at,
            chain_id=network,
            height=quantity(_item(sync, "latest_block_height"), "height"),
            peers=quantity(_item(replies[1], "result", "n_peers"), "number of peers") if self._wants_peers else None,
            syncing=catching_up if isinstance(catching_up, bool) else None,
            block_hash=_text(_item(sync, "latest_block_hash")),
        )

    def _exec(self, at: float) -> Answer:
        if self._engine is None or not self.target.container:
            raise ProbeError("engine", f"{self.probe.name}: a probe of type exec needs the node's container on this Docker host")
        try:
            code, out, err = self._engine.run_in(self.target.container, self.probe.command)
        except Exception as exc:
            raise ProbeError("engine", f"{self.probe.name}: {explain(exc)}") from exc
        lines = (out + err).decode("utf-8", "replace").strip().splitlines()
        return Answer(at, exit_code=code, output=clean(lines[-1]) if lines else "")


def check_open(host: str, port: int, timeout: float) -> None:
    """Return when something listens at ``host``:``port``; otherwise raise :class:`ProbeError`."""
    where = _place(host, port)
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            readable = select.select([connection], [], [], STAYS_OPEN)[0]
            if readable and not connection.recv(1):
                raise ProbeError("reset", f"{where} closes connections at once")
    except socket.timeout as exc:
        raise ProbeError("timeout", f"{where} does not answer within {timeout:g} s") from exc
    except OSError as exc:
        raise classify(exc, f"tcp://{host}:{port}" if ":" not in host else f"tcp://[{host}]:{port}", timeout) from exc


def at_once(works: t.Mapping[Key, t.Callable[[], Result]], timeout: float) -> t.Dict[Key, Result]:
    """Run all ``works`` at the same time and return what ended within ``timeout`` seconds.

    A work that hangs or fails is left out. Its thread is a daemon, so that it does not hold up the end of the program
    either: the threads of a pool would.
    """
    results: t.Dict[Key, Result] = {}
    done = threading.Condition()
    left = set(works)

    def run(key: Key) -> None:
        try:
            result = works[key]()
        except Exception:  # noqa: BLE001 - a work that fails is left out
            with done:
                left.discard(key)
                done.notify_all()
            return
        with done:
            results[key] = result
            left.discard(key)
            done.notify_all()

    for key in works:
        threading.Thread(target=run, args=(key,), daemon=True).start()
    with done:
        done.wait_for(lambda: not left, timeout)
        return dict(results)


def _item(data: t.Any, *path: str) -> t.Any:
    """The value at ``path`` in nested mappings, None when any of them is something else."""
    for key in path:
        if not isinstance(data, dict):
            return None
        data = data.get(key)
    return data


def _text(value: t.Any) -> t.Optional[str]:
    """A name or a hash as one clean line."""
    return clean(value, LONGEST_NAME) or None if isinstance(value, str) else None


def _refusal(reply: t.Any) -> str:
    # geth refuses a batch with a list of one error.
    one = reply[0] if isinstance(reply, list) and reply else reply
    error = _item(one, "error", "message") or _item(one, "error")
    message = clean(error) if isinstance(error, str) else ""
    return f"answers with an error: {message}" if message else "does not speak JSON-RPC"
