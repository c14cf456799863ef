"""ONNX's own shape inference, asked in a process of its own.

It is C++ that trusts its input: a file can make it crash or run for ever, deaf to Ctrl-C.  So it
runs elsewhere, with bounds on its time and memory; where it dies, the answer is "not known".
Operators with a rule of their own (`operator_shapes`) never come here.

Run as a program, this file is that process.  Questions and answers are lists of byte strings, each
with its length before it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from threading import Timer
from typing import IO

CPU_SECONDS, WALL_SECONDS, START_SECONDS = 3.0, 20.0, 60.0
"""What one answer may take of the processor, and altogether; and what the start may."""
MOST_BYTES = 2 * 2**30
"""Memory of the process."""
LARGEST = 2**24
"""Bytes of a question."""
MOST_DEATHS = 2
"""Times that the process is started again for one file."""
INFERRED, REFUSED = b"+", b"-"


class NoAnswer(Exception):
    """The process died, ran out of time, or could not be started.  Says so in half a sentence."""


class InferenceProcess:
    """The other process, started when it is first asked, and again where it died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, parts: Sequence[bytes]) -> list[bytes]:
        """Its answer to a question.

        Raises:
            NoAnswer: there is none.
        """
        if sum(map(len, parts)) > LARGEST:
            raise NoAnswer("it is too large to ask ONNX about it")
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        timer = Timer(WALL_SECONDS, process.kill)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(packed(parts))
            process.stdin.flush()
            answer = unpacked(process.stdout)
        except (OSError, ValueError) as problem:
            self.close()
            raise NoAnswer("ONNX's own inference broke off") from problem
        except BaseException:
            self.close()  # an answer that comes too late must not be taken for the next one
            raise
        finally:
            timer.cancel()
        if answer is None:
            self.close()
            raise NoAnswer("ONNX's own inference crashed, or took too long")
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._owner == os.getpid():
            if self._process.poll() is None:
                return self._process
            self.close()
        if not sys.executable:
            raise NoAnswer("there is no Python to start for ONNX's own inference")
        program, paths = os.path.abspath(__file__), json.dumps([p for p in sys.path if p])
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", program, paths],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        except OSError as problem:
            raise NoAnswer("no process could be started for ONNX's own inference") from problem
        self._owner = os.getpid()
        return self._process

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()


PROCESS = InferenceProcess()
"""The one of this process, kept for the next file."""
atexit.register(PROCESS.close)


def packed(parts: Sequence[bytes]) -> bytes:
    """Byte strings as one."""
    lengths = struct.pack(f"<I{len(parts)}Q", len(parts), *map(len, parts))
    return lengths + b"".join(parts)


def unpacked(stream: IO[bytes]) -> list[bytes] | None:
    """The byte strings that come next; None where the stream has ended."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    (count,) = struct.unpack("<I", head)
    raw = stream.read(8 * count)
    if len(raw) < 8 * count:
        return None
    return [stream.read(length) for length in struct.unpack(f"<{count}Q", raw)]


def question(
    *,
    domain: str,
    op: str,
    version: int,
    node: bytes,
    ir_version: int,
    opsets: Sequence[tuple[str, int]],
    types: Sequence[bytes],
    data: Sequence[bytes],
) -> list[bytes]:
    """What to ask about a node whose inputs are called `i0`, `i1`, … and its outputs `o0`, ….

    `types` and `data` are those of its inputs, empty where there are none.
    """  # fmt: skip
    imports = [text for name, number in opsets for text in (name, str(number))]
    head = [domain, op, str(version), str(ir_version), str(len(imports)), *imports]
    return [*(text.encode() for text in head), node, *types, *data]


def _limit_memory() -> None:
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_time(seconds: float) -> None:
    """Let the system end this process after so much of the processor's time; 0 for no end."""
    import signal  # noqa: PLC0415 - only the process itself needs it

    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def serve(source: IO[bytes], sink: IO[bytes]) -> None:
    """Answer questions until there are no more."""
    from onnx import NodeProto, TensorProto, TypeProto, defs, helper, shape_inference  # noqa: PLC0415

    while (parts := unpacked(source)) is not None:
        domain, op, version, ir_version, count = (part.decode() for part in parts[:5])
        at = 5 + int(count)
        imports = [part.decode() for part in parts[5:at]]
        opsets = [helper.make_opsetid(n, int(v)) for n, v in zip(imports[::2], imports[1::2])]
        node = NodeProto.FromString(parts[at])
        rest = parts[at + 1 :]
        types, data = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        _limit_time(CPU_SECONDS)
        try:
            found = shape_inference.infer_node_outputs(
                defs.get_schema(op, int(version), domain),
                node,
                {f"i{i}": TypeProto.FromString(t) for i, t in enumerate(types) if t},
                {f"i{i}": TensorProto.FromString(d) for i, d in enumerate(data) if d},
                opset_imports=opsets,
                ir_version=int(ir_version),
            )
        except Exception as problem:  # whatever it says is the answer
            answer = [REFUSED, f"{type(problem).__name__}: {problem}".encode("utf-8", "replace")]
        else:
            answer = [
                INFERRED,
                *(part for k, v in found.items() for part in (k.encode(), v.SerializeToString())),
            ]
        _limit_time(0)
        sink.write(packed(answer))
        sink.flush()


if __name__ == "__main__":
    sys.path[:] = json.loads(sys.argv[1])  # ONNX is where the process that asks has it
    _limit_memory()
    serve(sys.stdin.buffer, sys.stdout.buffer)
