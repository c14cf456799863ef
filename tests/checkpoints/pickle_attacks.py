"""Files that make a marker when torch.load opens them: the kinds known from scanners' advisories.

Sources: the advisories of picklescan, modelscan and fickling (callables that a list lacks, opcodes
that a scanner does not follow, archives that readers see differently), PyTorch's own issues.
"""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Iterator

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
PROTOCOL = b"\x80\x02M\xe9\x03."
OBJECT = b"\x80\x02}."
KEYS = b"\x80\x02]."


def text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


INFO = b"\x80\x02}" + text("protocol_version") + b"M\xe9\x03s" + text("little_endian") + b"\x88s."


def name(dotted: str) -> bytes:
    module, _, attribute = dotted.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def stack_name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"tR"


def opening(marker: str) -> bytes:
    return call(name("io.open"), text(marker), text("w"))


def callables(marker: str) -> Iterator[tuple[str, bytes]]:
    """What a pickle may call: each makes the marker."""
    write, touch = f"open({marker!r}, 'w').close()", f"touch {marker}"
    words = b"](" + text("touch") + text(marker) + b"e"
    for function in ("os.system", "posix.system", "subprocess.getoutput", "os.popen"):
        yield function, call(name(function), text(touch))
    for function in ("call", "check_call", "check_output", "run", "Popen"):
        yield f"subprocess.{function}", call(name(f"subprocess.{function}"), words)
    for function in ("builtins.exec", "builtins.eval", "__builtin__.eval", "__builtin__.execfile"):
        if not function.endswith("file"):
            yield function, call(name(function), text(write))
    for function in ("io.open", "builtins.open", "_io.open", "codecs.open", "_io.FileIO",
                     "zipfile.ZipFile", "tarfile.open", "io.FileIO", "gzip.open", "bz2.open",
                     "lzma.open",
                     "gzip.GzipFile", "bz2.BZ2File", "lzma.LZMAFile", "wave.open"):  # fmt: skip
        yield function, call(name(function), text(marker), text("w"))
    for function in ("os.mkdir", "os.mkfifo", "posix.mkdir", "sqlite3.connect", "os.makedirs",
                     "logging.FileHandler", "shutil.os.mkdir"):  # fmt: skip
        yield function, call(name(function), text(marker))
    for function in (
        "os.symlink",
        "posix.symlink",
        "shutil.copyfile",
        "shutil.copy",
        "shutil.copy2",
    ):
        yield function, call(name(function), text("/etc/passwd"), text(marker))
    yield "runpy._run_code", call(name("runpy._run_code"), text(write), b"}")
    yield "cProfile.run", call(name("cProfile.run"), text(write), text("/dev/null"))
    yield "profile.run", call(name("profile.run"), text(write), text("/dev/null"))
    yield "dotted name", call(stack_name("pathlib", "Path.touch"), call(name("pathlib.Path"),
                                                                       text(marker)))  # fmt: skip
    system = call(name("builtins.getattr"), call(name("importlib.import_module"), text("os")),
                  text("system"))  # fmt: skip
    yield "getattr", call(system, text(touch))
    yield "__import__", call(call(name("builtins.getattr"), call(name("builtins.__import__"),
                             text("os")), text("system")), text(touch))  # fmt: skip
    module = call(name("importlib.import_module"), text("os"))
    caller = call(name("operator.methodcaller"), text("system"), text(touch))
    yield "methodcaller", call(caller, module)
    yield "attrgetter", call(call(call(name("operator.attrgetter"), text("system")), module),
                             text(touch))  # fmt: skip
    bound = call(name("functools.partial"), name("io.open"), text(marker), text("w"))
    yield "partial", call(bound)
    yield "map", call(name("builtins.list"), call(name("builtins.map"), name("os.mkdir"),
                                                  b"](" + text(marker) + b"e"))  # fmt: skip
    inner = b"\x80\x02" + opening(marker) + b"0}."
    raw = b"B" + struct.pack("<I", len(inner)) + inner
    yield "pickle.loads", call(name("pickle.loads"), raw)
    yield "_pickle.loads", call(name("_pickle.loads"), raw)
    file = in_zip(b"\x80\x02" + opening(marker) + b"0}.")
    nested = b"B" + struct.pack("<I", len(file)) + file
    yield "_load_from_bytes", call(name("torch.storage._load_from_bytes"), nested)


def constructions(marker: str) -> Iterator[tuple[str, bytes]]:
    """How a pickle may say the same call: whole pickles."""
    m, w = text(marker), text("w")
    end = b"0}."
    opened = opening(marker)
    two = b"\x80\x02"
    for protocol in range(6):
        head = b"" if protocol < 2 else b"\x80" + bytes([protocol])
        yield f"protocol {protocol}", head + opened + end
    yield "no protocol, text only", f"cio\nopen\n(V{marker}\nVw\ntR0(d.".encode()
    yield "old strings", f"cio\nopen\n(S'{marker}'\nS'w'\ntR0(d.".encode()
    yield "STACK_GLOBAL", b"\x80\x04" + call(stack_name("io", "open"), m, w) + end
    yield "memoized names", b"\x80\x04" + text("io") + b"\x940" + text("open") + b"\x940" + call(
        b"h\x00h\x01\x93", m, w) + end  # fmt: skip
    yield "names from a list", b"\x80\x04](" + text("io") + text("open") + b"e0" + call(
        stack_name("io", "open"), m, w) + end  # fmt: skip
    yield "INST", two + b"(" + m + w + b"iio\nopen\n" + end
    yield "OBJ", two + b"(" + name("io.open") + m + w + b"o" + end
    yield "NEWOBJ", two + name("_io.FileIO") + m + w + b"\x86\x81" + end
    yield "NEWOBJ_EX", b"\x80\x04" + name("_io.FileIO") + m + w + b"\x86}\x92" + end
    yield "in a dict", two + b"}" + text("w") + opened + b"s."
    yield "as a key", two + b"}" + opened + b"K\x01s."
    yield "in a list", two + b"]" + opened + b"a."
    yield "in a tuple", two + opened + b"\x85."
    yield "in a set", b"\x80\x04\x8f(" + opened + b"\x90."
    yield "in a frozenset", b"\x80\x04(" + opened + b"\x91."
    yield "in an argument", two + call(name("builtins.repr"), opened) + end
    yield (
        "in a state",
        two + call(name("collections.OrderedDict"), b")")[:-4] + b")R" + opened + b"b.",
    )
    yield "in a reference", two + opened + b"Q."
    yield "under a mark", two + b"(" + opened + b"1}."
    yield "duplicated", two + opened + b"200}."
    yield "twice the protocol", two + two + opened + end
    yield "remembered only", two + opened + b"q\x000}."
    yield "before a broken opcode", two + opened + b"\xff."
    yield "without an end", two + opened
    yield "before too few values", two + opened + b"000."
    long = b"\x8d" + struct.pack("<Q", len(marker)) + marker.encode()
    yield "text of 8 bytes", b"\x80\x04" + call(name("io.open"), long, w) + end
    yield "a frame that lies", b"\x80\x04\x95" + struct.pack("<Q", 3) + opened + end
    yield "a long number first", two + b"\x8b" + struct.pack("<i", 4) + b"abcd0" + opened + end
    yield "a second pickle", two + b"}." + two + opened + end
    yield "by the second name", two + name("os.path.os.mkdir") + m + b"\x85R" + end
    yield "an extension", two + b"\x82\x01" + opened + end


def in_zip(content: bytes, *, folder: str = "archive", **more: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as writer:
        for entry, held in {"data.pkl": content, "byteorder": b"little", "version": b"3\n"}.items():
            writer.writestr(f"{folder}/{entry}", held)
        for entry, held in more.items():
            writer.writestr(entry, held)
    return stream.getvalue()


def in_tar(marker: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:", format=tarfile.USTAR_FORMAT) as writer:
        evil = b"\x80\x02" + opening(marker) + b"0}."
        none = b"\x80\x02K\x00."
        parts = {"storages": none + b"\x80\x02].", "tensors": none, "pickle": evil}
        for entry, held in parts.items():
            info = tarfile.TarInfo(entry)
            info.size = len(held)
            writer.addfile(info, io.BytesIO(held))
    return stream.getvalue()


def tar_and_legacy(marker: str) -> bytes:
    """A file of five harmless pickles whose first 512 bytes are an entry of a tar archive."""
    begin = MAGIC + b"\x80\x02X"
    rest = b"0M\xe9\x03." + INFO + OBJECT + KEYS
    head = bytearray(512)
    full = begin + struct.pack("<I", 512 - len(begin) - 4)
    head[: len(full)] = full
    head[100:108], head[108:116], head[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    head[124:136], head[136:148], head[156:157] = b"%011o\0" % len(rest), b"00000000000\0", b"0"
    head[257:265], head[148:156] = b"ustar\x0000", b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + rest + b"\0" * (-len(rest) % 512) + in_tar(marker)


def directory_of(content: bytes) -> tuple[int, int]:
    """Where the directory of a zip archive is, and how long."""
    size, offset = struct.unpack_from("<2I", content, content.rindex(b"PK\5\6") + 12)
    return offset, size


def two_directories(marker: str) -> bytes:
    """Python follows the size of the directory, torch its offset: to another archive."""
    evil, good = in_zip(b"\x80\x02" + opening(marker) + b"0}."), in_zip(OBJECT)
    at, size = directory_of(evil)
    # The harmless archive stands behind the other; its end record points to the other's directory.
    body = evil[: at + size] + good
    end = bytearray(body[body.rindex(b"PK\5\6") :])
    struct.pack_into("<I", end, 16, at)
    return body[: -len(end)] + bytes(end)


def two_long_ends(marker: str) -> bytes:
    """The locator names one long end record, and another lies right before it."""
    evil, good = in_zip(b"\x80\x02" + opening(marker) + b"0}."), in_zip(OBJECT)
    at, size = directory_of(evil)
    good_at, good_size = directory_of(good)
    shift = at + size
    body = evil[:shift] + good[: good_at + good_size]

    def record(offset: int, length: int) -> bytes:
        return struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 3, 3, length, offset)

    first = len(body)
    body += record(at, size) + record(shift + good_at, good_size)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, first, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 3, 3, good_size, 0xFFFFFFFF, 0)
    return body + locator + end


def containers(marker: str) -> Iterator[tuple[str, bytes]]:
    """Where in a file a pickle may lie, and files that readers see differently."""
    evil = b"\x80\x02" + opening(marker) + b"0}."

    def after(pickled: bytes) -> bytes:
        return pickled[:2] + opening(marker) + b"0" + pickled[2:]

    parts = {"magic": MAGIC, "protocol": PROTOCOL, "machine": INFO, "object": OBJECT, "keys": KEYS}
    for part in parts:
        changed = {**parts, part: after(parts[part])}
        if part == "magic":
            changed[part] = MAGIC[:-1] + opening(marker) + b"0."
        yield f"legacy: {part}", b"".join(changed.values())
    yield "a lone pickle", evil
    yield "a pickle of protocol 0", f"cio\nopen\n(V{marker}\nVw\ntR0(d.".encode()
    yield "tar", in_tar(marker)
    yield "tar and legacy", tar_and_legacy(marker)
    yield "two directories", two_directories(marker)
    yield "two long ends", two_long_ends(marker)
    yield "another folder first", in_zip(evil, folder="x") + b""
    good, both = in_zip(OBJECT), in_zip(OBJECT, **{"archive/DATA.PKL": evil})
    yield "DATA.PKL", both
    first = in_zip(evil, **{"archive/DATA.PKL": OBJECT})
    yield "DATA.PKL harmless", first
    yield "capitals first", in_zip(evil).replace(b"archive/data.pkl", b"archive/DATA.PKL")
    yield "archive in the comment", commented(good, in_zip(evil))
    yield "before the archive", in_zip(evil)[:-22] + good
    yield "a count that lies", counted(in_zip(evil), 1)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as writer:
        writer.writestr("archive/data.pkl", evil)
        writer.writestr("archive/version", b"3\n")
    yield "deflated", stream.getvalue()


def commented(good: bytes, evil: bytes) -> bytes:
    """A harmless archive with a whole other one as its comment."""
    end = bytearray(good[-22:])
    struct.pack_into("<H", end, 20, len(evil))
    return good[:-22] + bytes(end) + evil


def counted(content: bytes, entries: int) -> bytes:
    """The archive with another count of entries in its end record."""
    changed = bytearray(content)
    struct.pack_into("<2H", changed, content.rindex(b"PK\5\6") + 8, entries, entries)
    return bytes(changed)


def attacks(marker: str) -> dict[str, bytes]:
    """Every file by what is odd about it."""
    found = {f"calls {k}": in_zip(b"\x80\x02" + v + b"0}.") for k, v in callables(marker)}
    found |= {f"says {k}": in_zip(v) for k, v in constructions(marker)}
    return found | {f"is {k}": v for k, v in containers(marker)}


assert pickle.loads(MAGIC) == 0x1950A86A20F9469CFC6C
