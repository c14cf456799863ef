"""What a program in a file may ask for, looked at before torch's own loader sees it.

A program is code.  PyTorch's loaders run what it names: operators that read and write files, any
function that can be reached from `torch`, expressions that SymPy evaluates as Python, names that
are pasted into Python's source.  So each is held against what a network needs; the rest is refused
by name.  Nothing here imports torch.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from cnninspect.files import Malformed, excerpt

NAMESPACES = frozenset({
    "aten", "prim", "prims", "quantized", "_quantized", "quantized_decomposed", "torchvision",
    "mkldnn_prepacked", "prepacked", "onnx",
})  # fmt: skip
"""Of operators that compute; others talk to processes, profilers, images on disk."""
REFUSED = frozenset({
    "from_file", "save", "print", "_print", "Print", "PythonOp", "IgnoredPythonOp", "TimePoint",
    "rpc_async", "rpc_sync", "rpc_remote",
})  # fmt: skip
"""Operators of those namespaces that touch files, print, or reach other processes."""
CLASSES = frozenset({"quantized", "rnn", "xnnpack", "sparse", "mkldnn"})
"""Namespaces of C++ classes that hold packed weights."""
HINT = "it is refused unseen; load it yourself if you trust it, and hand the module to cnninspect"

# --- TorchScript ---

LOOPS = frozenset({"while", "for"})

TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)|(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    r"""|(?P<name>[^\W\d]\w*)|(?P<other>[^\s\\])""",
    re.ASCII,
)


def check_script(code: str) -> bool:
    """Whether the code of a TorchScript program has loops.

    Raises:
        Malformed: it could do more than compute.

    Names are looked for wherever they stand, in texts too, since `getattr` takes one.
    """
    if '"""' in code or "'''" in code:  # the only texts whose ends readers could see elsewhere
        raise Malformed("its code holds a text of several lines", HINT)
    tokens = list(_tokens(code))
    for i, token in enumerate(tokens):
        if token in REFUSED:
            raise Malformed(f"its code uses {token}, which is more than computing", HINT)
        if token == "ops":
            dot, namespace = (*tokens[i + 1 : i + 3], "", "")[:2]
            if dot != "." or namespace not in NAMESPACES:
                said = excerpt(namespace) if dot == "." else "ops as a value"
                raise Malformed(f"its code uses the operators of {said}", HINT)
        if token == "classes" and tokens[max(i - 2, 0) : i] == ["torch", "."]:
            check_class(".".join(tokens[i + 2 : i + 5 : 2]))
    return not LOOPS.isdisjoint(tokens)


def _nodes_in(content: Any) -> int:
    """Nodes of all graphs in it."""
    found, pending = 0, [content]
    while pending:
        part = pending.pop()
        if isinstance(part, Mapping):
            nodes = part.get("nodes")
            found += len(nodes) if isinstance(nodes, list) else 0
            pending += part.values()
        elif isinstance(part, list):
            pending += part
    return found


def inner_calls(codes: Sequence[str]) -> int:
    """How many places in the code of a program call functions of that code.

    Without loops nothing else makes it run for long: functions that call each other twice, n deep,
    run 2ⁿ times.  With so many places at most 3 to the power of a third of them.
    """
    defined: set[str] = set()
    called: Counter[str] = Counter()
    for code in codes:
        tokens = ["", "", *_tokens(code), ""]
        for before, name, after in zip(tokens, tokens[1:], tokens[2:]):
            if before == "def":
                defined.add(name)
            elif after == "(":
                called[name] += 1
    return sum(count for name, count in called.items() if name in defined)


def check_class(name: str) -> None:
    """Raises Malformed for a class of C++ that holds no weights, as those of `quantized` do."""
    if name.partition(".")[0] not in CLASSES:
        raise Malformed(f"it uses the class {excerpt(name)}, which is more than computing", HINT)


def _tokens(code: str) -> Iterator[str]:
    """Names, signs and what texts say, those beside each other joined as TorchScript does."""
    text: str | None = None
    for found in TOKEN.finditer(code):
        if found["comment"]:
            continue
        if found["text"]:
            try:
                text = (text or "") + str(ast.literal_eval(found["text"]))
            except (ValueError, SyntaxError) as problem:
                raise Malformed("its code holds a text that cannot be read", HINT) from problem
            continue
        if text is not None:
            yield text
            text = None
        yield found[0]
    if text is not None:
        yield text


# --- torch.export ---

OPERATOR = re.compile(
    r"torch\.ops\.([a-z_]\w*)\.((?!__)\w+|__i?(?:and|or|xor|lshift|rshift)__)(?:\.(?!__)\w+)?",
    re.ASCII,
)
HIGHER_ORDER = frozenset({
    "cond", "while_loop", "scan", "associative_scan", "map_impl", "wrap_with_set_grad_enabled",
    "wrap_with_autocast", "invoke_subgraph", "flex_attention",
})  # fmt: skip
"""Operators whose arguments are graphs, which are looked at like the whole."""
ON_SIZES = re.compile(
    r"_operator\.(?:add|sub|mul|mod|pow|neg|pos|truediv|floordiv|eq|ne|lt|le|gt|ge|and_|or_|not_"
    r"|lshift|rshift|getitem)"
    r"|math\.(?:ceil|floor|trunc|sqrt|log2)"
    r"|torch\._?sym_(?:float|int|not|max|min|ite|sum|sqrt|log2)"
)
"""Functions of numbers that are sizes."""
FUNCTIONS = frozenset({
    "Symbol", "Integer", "Rational", "Float", "Add", "Mul", "Pow", "FloorDiv", "CleanDiv",
    "CeilDiv",
    "ModularIndexing", "Mod", "PythonMod", "Max", "Min", "Abs", "CeilToInt", "FloorToInt",
    "TruncToInt", "RoundToInt", "ToFloat", "TruncToFloat", "Identity", "IntTrueDiv",
    "FloatTrueDiv", "PowByNatural", "Where", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "Equality",
    "Unequality", "StrictLessThan", "LessThan", "StrictGreaterThan", "GreaterThan", "And", "Or",
    "Not", "floor", "ceiling", "Piecewise", "ExprCondPair", "ITE", "Tuple", "OpaqueUnaryFn_sqrt",
})  # fmt: skip
"""What an expression of sizes may call; SymPy would evaluate any Python."""
POWERS = ("Pow", "PowByNatural")
KEYWORDS = re.compile(
    r"positive|negative|nonnegative|nonpositive|nonzero|zero|integer|real|finite|even|odd"
    r"|commutative|infinite|extended_\w+|precision|evaluate"
)
"""What is assumed of a symbol, and how a number is written."""
SYMBOL = re.compile(r"[a-z]{1,4}\d{1,9}|true|false|oo|int_oo")
DIGITS = re.compile(r"-?\d{1,20}(?:\.\d{1,40})?(?:e[+-]?\d{1,3})?")
MOST_NODES = 10_000
"""Of all graphs of a program; networks of hundreds of layers have some thousands."""
LONGEST_EXPRESSION = 10_000
HIGHEST_POWER = 64
"""Exponents within each other multiplied, so that no number has millions of digits."""
PART = re.compile(r"[^\x00-\x1f\x7f-\x9f\"'\\(){}`;]{0,500}")
"""A part of a module's path: torch pastes it into Python's source."""
MODULES = re.compile(r"[\w.@$-]*,[\w.@-]*,[\w.<>-]*")
"""Key, path and type of a module in a node's `nn_module_stack`."""
CONTAINERS = frozenset({
    None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict",
    "torch.Size", "builtins.NoneType",
})  # fmt: skip
"""Types that inputs and outputs may be packed in."""


def checked_program(content: Any) -> dict[str, Any]:
    """The graph of a program of `torch.export` without what is only evaluated or printed.

    Raises:
        Malformed: it asks for something that no network needs.
    """
    if not isinstance(content, dict):
        raise Malformed("its graph is no JSON object")
    if (nodes := _nodes_in(content)) > MOST_NODES:  # torch's reader takes a millisecond for each
        raise Malformed(f"its graph has {nodes:,} nodes; up to {MOST_NODES:,} are read")
    cleaned = _checked(content)
    if "guards_code" in cleaned:  # Python's source, which would be run
        cleaned["guards_code"] = []
    return cleaned  # type: ignore[no-any-return]


def _checked(value: Any) -> Any:
    if isinstance(value, list):
        return [_checked(item) for item in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for key, item in value.items():
        if key in TABLES and isinstance(item, dict):
            for name in item:
                TABLES[key](name)
        if key in CHECKS and item is not None:
            for text in item if isinstance(item, list) else (item,):
                if not isinstance(text, dict):  # a value of its own, looked at below
                    CHECKS[key](text)
        if key == "metadata":
            result[key] = _module_stack(item)
        elif key in ("as_custom_obj", "custom_obj") or (key == "custom_obj_values" and item):
            raise Malformed("it holds an object of a class of C++, which only pickle reads", HINT)
        else:
            result[key] = _checked(item)
    return result


def check_target(target: object) -> None:
    """Raises Malformed unless a node calls an operator that computes."""
    text = target if isinstance(target, str) else ""
    found = OPERATOR.fullmatch(text)
    if found:
        namespace, name = found.groups()
        allowed = name in HIGHER_ORDER if namespace == "higher_order" else (
            namespace in NAMESPACES and name not in REFUSED
        )  # fmt: skip
    else:
        allowed = ON_SIZES.fullmatch(text) is not None
    if not allowed:
        raise Malformed(f"it calls {excerpt(target)}, which is more than computing", HINT)


def check_expression(expression: object) -> None:
    """Raises Malformed unless it is arithmetic on sizes, and of a bounded size itself."""
    text = expression if isinstance(expression, str) else ""
    refusal = Malformed(f"{excerpt(expression)} is no expression of sizes", HINT)
    if not text or len(text) > LONGEST_EXPRESSION:
        raise refusal
    try:
        is_arithmetic = _is_arithmetic(ast.parse(text.strip(), mode="eval").body, HIGHEST_POWER)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise refusal from problem
    if not is_arithmetic:
        raise refusal


def _is_arithmetic(node: ast.expr, most: int) -> bool:
    """Whether an expression holds numbers, sizes and known functions, and no power above `most`."""
    if isinstance(node, ast.Name):
        return SYMBOL.fullmatch(node.id) is not None
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, str):
            return bool(SYMBOL.fullmatch(value) or DIGITS.fullmatch(value))
        return isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 1 << 64)
    if isinstance(node, ast.UnaryOp):
        return _is_arithmetic(node.operand, most)
    if isinstance(node, ast.BoolOp):
        return all(_is_arithmetic(value, most) for value in node.values)
    if isinstance(node, ast.Compare):
        return all(_is_arithmetic(value, most) for value in (node.left, *node.comparators))
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Pow):
            return _is_power(node.left, node.right, most)
        allowed = isinstance(node.op, (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod))
        return allowed and _is_arithmetic(node.left, most) and _is_arithmetic(node.right, most)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return False
    if node.func.id in POWERS and len(node.args) == 2 and not node.keywords:
        return _is_power(node.args[0], node.args[1], most)
    return (
        node.func.id in FUNCTIONS.difference(POWERS)
        and all(_is_arithmetic(argument, most) for argument in node.args)
        and all(
            KEYWORDS.fullmatch(word.arg or "") and isinstance(word.value, ast.Constant)
            and isinstance(word.value.value, (bool, int))
            for word in node.keywords
        )
    )  # fmt: skip


def _is_power(base: ast.expr, exponent: ast.expr, most: int) -> bool:
    """Whether the exponent is a small number, so that the power of the base is bounded."""
    found = re.fullmatch(r"(?:Integer\()?(-?\d{1,2})\)?", ast.unparse(exponent))
    size = abs(int(found[1])) if found else most + 1
    return size <= most and _is_arithmetic(base, most // max(size, 1))


def check_identifier(name: object) -> None:
    """Raises Malformed unless it is a name that Python's source can hold as one."""
    if not isinstance(name, str) or (name and not name.isidentifier()):
        raise Malformed(f"{excerpt(repr(name))} is no name of a value", HINT)


def check_path(path: object) -> None:
    """Raises Malformed unless it could be the path of a module or weight."""
    if not isinstance(path, str) or not all(PART.fullmatch(part) for part in path.split(".")):
        raise Malformed(f"{excerpt(repr(path))} is no path of a layer", HINT)


def check_packing(spec: object) -> None:
    """Raises Malformed unless inputs and outputs are packed in plain containers."""
    if not spec:
        return
    try:
        _, top = json.loads(spec)  # type: ignore[arg-type]
        _check_container(top)
        arguments = top["children_spec"]
        if top["type"] == "builtins.tuple" and len(arguments) == 2:
            for name in json.loads(arguments[1].get("context") or "null") or ():
                check_path(name)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise Malformed("how its inputs are packed cannot be read", HINT) from problem


def _check_container(node: Mapping[str, Any]) -> None:
    if node["type"] not in CONTAINERS:
        raise Malformed(f"its inputs are packed in {excerpt(node['type'])}", HINT)
    keys = json.loads(node["context"]) if node["context"] is not None else None
    if keys is not None:
        if not isinstance(keys, list):
            raise Malformed("how its inputs are packed cannot be read", HINT)
        for key in keys:
            if not isinstance(key, int):
                check_path(key)
    for child in node["children_spec"]:
        _check_container(child)


def _module_stack(metadata: object) -> dict[str, str]:
    """What a node says of the modules that it came from; all else is for people, and dropped."""
    stack = metadata.get("nn_module_stack") if isinstance(metadata, dict) else None
    if not isinstance(stack, str):
        return {}
    if not all(MODULES.fullmatch(module) for module in stack.split(";")):
        return {}
    return {"nn_module_stack": stack}


CHECKS: dict[str, Callable[[Any], None]] = {
    "target": check_target,
    "as_operator": check_target,
    "expr_str": check_expression,
    "name": check_identifier,
    "as_name": check_identifier,
    "forward_arg_names": check_identifier,
    "user_input_name": check_identifier,
    "fqn": check_path,
    "parameter_name": check_path,
    "buffer_name": check_path,
    "tensor_constant_name": check_path,
    "custom_obj_name": check_path,
    "in_spec": check_packing,
    "out_spec": check_packing,
}
"""Check by the key that a text stands under, wherever in the graph that is."""
TABLES: dict[str, Callable[[Any], None]] = {
    "tensor_values": check_identifier,
    "sym_int_values": check_identifier,
    "sym_bool_values": check_identifier,
    "sym_float_values": check_identifier,
    "range_constraints": check_expression,
}
"""Check by the name of a table, for the keys in it."""
