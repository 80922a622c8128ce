"""Ask melodysim from any Python: one file, standard library alone, Python 3.8 and later.

    import melodysim_client                      # this file, under any name
    answer = melodysim_client.ask("check_notes", onsets=[...], durations=[...], pitches=[...])
    print(answer["verdict"])

Before anything is sent, the daemon has to show that it knows the token that stands in its file, which
only the user can read; whoever else listens at its address learns nothing. The daemon is started where
none answers (the command ``melodysim``, or what the environment variable ``MELODYSIM_COMMAND`` names)
and ends by itself when nobody asks any more. It listens on loopback only.

A question that names no library is about the one that ``MELODYSIM_LIBRARY`` names where it is asked, or
else about the user's own.

Questions
---------
ping
    Version, and the number of melodies.
check_notes(onsets, durations, pitches, library=None, top=10)
    As `melodysim.check_notes`; seconds and MIDI note numbers. The answer is a track of docs/json.md.
check_file(path, library=None, top=10)
    The same of a file.
add(onsets, durations, pitches, title, creator=None, rights="unknown", library=None)
    Add a melody to the library; gives its id.
stop
    End the daemon.
"""

import hashlib
import hmac
import json
import os
import secrets
import shlex
import socket
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List, Optional

COMMAND = "MELODYSIM_COMMAND"
LIBRARY = "MELODYSIM_LIBRARY"
START_SECONDS = 30.0
PROOF_SECONDS = 5.0
LONGEST_PROOF = 1000


class AskError(Exception):
    """The daemon says why it cannot answer; or there is none, and none can be started."""


def state_path() -> str:
    """Say where the daemon writes its port and its token."""
    folder = os.environ.get("XDG_RUNTIME_DIR") or os.path.join(os.path.expanduser("~"), ".melodysim")
    return os.path.join(folder, "melodysim-daemon.json")


def ask(
    question: str,
    on_stage: Optional[Callable[[str], None]] = None,
    timeout: float = 600.0,
    **given: Any,
) -> Any:
    """Ask the daemon, starting it where none answers.

    Parameters
    ----------
    question : str
        See above.
    on_stage : callable, optional
        Called with what is being done.
    timeout : float, optional
        Seconds to wait for the answer.
    **given
        As the question takes it.

    Returns
    -------
    dict
        The answer.

    Raises
    ------
    AskError
        With one line that says what is wrong and what to do.
    """
    # The daemon may have been started by somebody who has another library.
    if question != "stop" and not given.get("library") and os.environ.get(LIBRARY):
        given["library"] = os.environ[LIBRARY]
    for name in ("path", "library"):  # the daemon runs in another folder
        if isinstance(given.get(name), (str, os.PathLike)):
            given[name] = os.path.abspath(given[name])
    try:
        asked = json.dumps(given)
    except (TypeError, ValueError) as error:
        raise AskError("not a request that JSON can hold (%s); give lists of numbers" % error)
    connection = _connected(timeout)
    with connection, connection.makefile("rwb") as stream:
        request = '{"token": %s, "do": %s, "with": %s}\n'
        request %= (json.dumps(_state()["token"]), json.dumps(question), asked)
        said = _exchanged(stream, request.encode())
        while "stage" in said:
            if on_stage is not None:
                on_stage(said["stage"])
            said = _exchanged(stream)
    if "error" in said:
        raise AskError(said["error"])
    return said["answer"]


def _exchanged(stream: Any, request: bytes = b"") -> Dict[str, Any]:
    """Send a request, if there is one, and return the next line of the answer."""
    try:
        if request:
            stream.write(request)
            stream.flush()
        line = stream.readline()
        said: Dict[str, Any] = json.loads(line) if line else {}
    except socket.timeout:
        raise AskError("no answer in time: the melodysim daemon is at work, give a longer timeout")
    except (OSError, ValueError) as error:
        raise AskError("the melodysim daemon went away (%s); ask again" % error)
    if not said:
        raise AskError("the melodysim daemon ended before it had answered; ask again")
    return said


def running() -> bool:
    """Say whether a daemon answers that knows the token."""
    try:
        _dial(2.0).close()
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def proof_of(token: str, nonce: str) -> str:
    """Return what only one who knows the token can make of a number drawn at random."""
    return hmac.new(token.encode(), nonce.encode(), hashlib.sha256).hexdigest()


def _state() -> Dict[str, Any]:
    with open(state_path(), encoding="utf-8") as file:
        state: Dict[str, Any] = json.load(file)
    return state


def _dial(timeout: float) -> socket.socket:
    """Connect to the daemon, and make sure that it is one: its file may be stale."""
    state = _state()
    connection = socket.create_connection(
        ("127.0.0.1", int(state["port"])), min(timeout, PROOF_SECONDS)
    )
    try:
        nonce = secrets.token_hex(16)
        connection.sendall(('{"hello": "%s"}\n' % nonce).encode())
        said = b""
        while not said.endswith(b"\n") and len(said) < LONGEST_PROOF:
            got = connection.recv(LONGEST_PROOF)
            if not got:
                break
            said += got
        proof = json.loads(said)["proof"]
        if not hmac.compare_digest(str(proof).encode(), proof_of(str(state["token"]), nonce).encode()):
            raise ValueError("another program answers there")
        connection.settimeout(timeout)
    except BaseException:
        connection.close()
        raise
    return connection


def _connected(timeout: float) -> socket.socket:
    """Connect; start the daemon if that fails."""
    try:
        return _dial(timeout)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    command = _command() + ["daemon"]
    detached: Dict[str, Any] = (
        {"creationflags": 0x00000208} if os.name == "nt" else {"start_new_session": True}
    )
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if name != LIBRARY},
            **detached,
        )
    except OSError as error:
        raise AskError(
            "%s cannot be started (%s); install melodysim, or name its command in %s"
            % (command[0], error.strerror, COMMAND)
        )
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            return _dial(timeout)
        except (OSError, ValueError, KeyError, TypeError):
            if process.poll() not in (None, 0):
                break
            time.sleep(0.05)
    raise AskError(
        "no melodysim daemon answers; try `%s daemon` in a terminal, it says why" % " ".join(_command())
    )


def _command() -> List[str]:
    named = os.environ.get(COMMAND)
    return shlex.split(named, posix=os.name != "nt") if named else ["melodysim"]


if __name__ == "__main__":
    # python melodysim_client.py check_notes < request.json
    try:
        json.dump(ask(sys.argv[1], **json.load(sys.stdin)), sys.stdout)
    except (AskError, ValueError, IndexError) as problem:
        sys.exit("melodysim: %s" % problem)
