"""Arrays over memory that the engine holds: made in generated code, from a table of addresses.

A row of the table has the address of an array, its rows and its columns. As arguments, 300 arrays
would be taken apart and counted one by one, in code that has to be compiled first; a table is one
argument, and which of its rows a piece of code works on may come from another table.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WORDS = 3  # address, rows, columns


def _row(context: Any, builder: Any, signature: Any, args: Any) -> list[Any]:
    """The three numbers in the row of the table that is asked for."""
    table = context.make_array(signature.args[1])(context, builder, args[1])
    first = builder.mul(args[2], ir.Constant(args[2].type, WORDS))
    places = [builder.add(first, ir.Constant(first.type, k)) for k in range(WORDS)]
    return [builder.load(builder.gep(table.data, [place])) for place in places]


def _array(context: Any, builder: Any, kind: Any, address: Any, shape: list[Any]) -> Any:
    """An array that owns nothing: no reference to it is ever counted."""
    from numba.np import arrayobj  # a process that finds its code in the cache needs none of it

    item = context.get_data_type(kind.dtype)
    size = ir.Constant(address.type, context.get_abi_sizeof(item))
    strides = [size] if len(shape) == 1 else [builder.mul(shape[1], size), size]
    made = context.make_array(kind)(context, builder)
    arrayobj.populate_array(
        made,
        data=builder.inttoptr(address, item.as_pointer()),
        shape=cgutils.pack_array(builder, shape),
        strides=cgutils.pack_array(builder, strides),
        itemsize=size,
        meminfo=None,
    )
    return made._getvalue()


def _vector(typingctx: Any, like: Any, table: Any, k: Any) -> Any:
    """Row k of a table as an array (rows * columns) of the type of `like`."""
    kind = types.Array(like.dtype, 1, "C")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address, rows, columns = _row(context, builder, signature, args)
        return _array(context, builder, kind, address, [builder.mul(rows, columns)])

    return kind(like, table, types.int64), codegen


def _matrix(typingctx: Any, like: Any, table: Any, k: Any) -> Any:
    """Row k of a table as an array (rows, columns) of the type of `like`."""
    kind = types.Array(like.dtype, 2, "C")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address, rows, columns = _row(context, builder, signature, args)
        return _array(context, builder, kind, address, [rows, columns])

    return kind(like, table, types.int64), codegen


vector: Any = intrinsic(_vector)
matrix: Any = intrinsic(_matrix)
