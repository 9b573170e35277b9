"""Instructions: what a Program is made of; each kind says what it reads and what it writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from .effects import Effects as Effects, loads as loads, over as over
from .expressions.tree import Expr
from .windowed import Convolve, Correlate, Pool, Unpool, Windowed as Windowed


@dataclass(frozen=True)
class Map(Effects):
    """target := value, element by element; `masked`: only where the sample still runs."""

    target: str
    value: Expr
    masked: bool = False

    def _read(self) -> Iterable[str]:
        return loads(self.value) | ({self.target} if self.masked else set())

    def renamed(self, name: Callable[[str], str]) -> Map:
        """The same, reading `name(b)` for b."""
        return replace(self, value=over(self.value, name))


@dataclass(frozen=True)
class Block(Effects):
    """Maps over one shape in sequence, as one loop; `local` targets are read nowhere else."""

    shape: tuple[str | int, ...]
    maps: tuple[Map, ...]
    local: frozenset[str] = frozenset()

    def _read(self) -> Iterable[str]:
        return set().union(*(m.reads for m in self.maps))

    def _written(self) -> Iterable[str]:
        return (m.target for m in self.maps)


@dataclass(frozen=True)
class Reduce(Effects):
    """target (per sample) := sum | mean | max | norm of value over `size` units."""

    target: str
    op: str
    value: Expr
    size: int

    def _read(self) -> Iterable[str]:
        return loads(self.value)


@dataclass(frozen=True)
class BatchReduce(Effects):
    """target (a row) := the mean (or sum) of value over the samples of the batch.

    Where the target is a matrix, unit i * pre + j is its element (i, j).
    """

    target: str
    value: Expr
    average: bool = True

    def _read(self) -> Iterable[str]:
        return loads(self.value)


@dataclass(frozen=True)
class Product(Effects):
    """target := source @ weight.T (+ last column where `bias`); source @ weight if transposed.

    `few`: most numbers of the source are 0, so that an engine may use the columns of the others.
    """

    target: str
    weight: str
    source: str
    transposed: bool = False
    bias: bool = False
    few: bool = False

    multiplies = True

    def _read(self) -> Iterable[str]:
        return (self.weight, self.source)


@dataclass(frozen=True)
class Side:
    """One side of a product of matrices: `matrix`, or its transpose where `transposed`."""

    matrix: str
    transposed: bool = False


@dataclass(frozen=True)
class MatrixProduct(Effects):
    """target := left right, as many rows and columns of each as meet: a bias column is left out.

    The rows of left and the columns of right are those of the target; `inner`: how many columns of
    left meet rows of right.
    """

    target: str
    left: Side
    right: Side
    inner: int

    def _read(self) -> Iterable[str]:
        return (self.left.matrix, self.right.matrix)


@dataclass(frozen=True)
class PairwiseSum(Effects):
    """target_i := sum (or max) over j of value(w_ij, pre_j, post_i), per sample.

    Leaves of `value`: Weight, Transmitted (the source), Loads with the axis "pre" or "post", and
    Loads of matrices, scalars and numbers per sample. `bias`: what the bias unit brings, in which
    Weight is the last column. `off_diagonal`: j = i is left out. `only`: so are those for which
    this matrix, laid like the weight, holds 0.
    """

    target: str
    weight: str
    source: str
    value: Expr
    transposed: bool = False
    op: str = "sum"
    bias: Expr | None = None
    off_diagonal: bool = False
    only: str | None = None

    multiplies = True

    def _read(self) -> Iterable[str]:
        beside = set() if self.bias is None else loads(self.bias)
        beside |= {self.only} if self.only else set()
        return {self.weight, self.source} | loads(self.value) | beside


@dataclass(frozen=True)
class Spread(Effects):
    """target (post * pre units) := source_i ("post"), source_j ("pre") or source_ij ("both").

    `source`: a unit variable or a row of one end, or a matrix; `bias`: the last j is 1.
    """

    target: str
    source: str
    axis: str
    shape: tuple[int, int]
    bias: bool = False

    def _read(self) -> Iterable[str]:
        return (self.source,)


@dataclass(frozen=True)
class RowReduce(Effects):
    """target_i (a row) := sum (or max) over j of value, a matrix of `shape` (post, pre).

    `off_diagonal`: j = i is left out; `only`: so are those for which this matrix holds 0.
    """

    target: str
    op: str
    value: Expr
    shape: tuple[int, int]
    off_diagonal: bool = False
    only: str | None = None

    def _read(self) -> Iterable[str]:
        return loads(self.value) | ({self.only} if self.only else set())


@dataclass(frozen=True)
class Term:
    """coefficient * sum over samples of scale * post_i * pre_j; `scale` is a number per sample.

    Where post and pre are the same buffer the result is symmetric to the last bit: an inverse that
    is divided by a forgetting factor in each update amplifies what is not (Liavas & Regalia 1999).
    """

    coefficient: Expr
    post: str
    pre: str
    scale: str | None = None

    @property
    def symmetric(self) -> bool:
        """Whether both ends give the same numbers."""
        return self.post == self.pre


@dataclass(frozen=True)
class RankUpdate(Effects):
    """target := base + terms, a matrix; base None is target itself; terms averaged or summed.

    The terms fill as many columns as their presynaptic ends have units. `bias`: a row that is added
    to the last column, that of the bias unit. `off_diagonal`: the diagonal is 0 afterwards;
    `only`: so are the elements for which this matrix holds 0.
    """

    target: str
    base: Expr | None
    terms: tuple[Term, ...] = ()
    average: bool = True
    bias: str | None = None
    off_diagonal: bool = False
    only: str | None = None

    def _read(self) -> Iterable[str]:
        found = {self.target} if self.base is None else loads(self.base)
        found |= {one for one in (self.bias, self.only) if one}
        for term in self.terms:
            found |= loads(term.coefficient) | {term.post, term.pre}
            found |= {term.scale} if term.scale else set()
        return found

    def renamed(self, name: Callable[[str], str]) -> RankUpdate:
        """The same, reading `name(b)` for b."""
        terms = tuple(replace(t, post=name(t.post), pre=name(t.pre)) for t in self.terms)
        return replace(self, base=self.base and over(self.base, name), terms=terms)


@dataclass(frozen=True)
class MatrixReduce(Effects):
    """target (a scalar) := the mean of value over all elements of a matrix or row."""

    target: str
    value: Expr

    def _read(self) -> Iterable[str]:
        return loads(self.value)


@dataclass(frozen=True)
class Draw(Effects):
    """target := random numbers from the stream `name`, of the distribution `kind`.

    Without arguments they are standard: uniform in [0, 1), normal with mean 0 and deviation 1.
    Counted by unit, `step` and sample: a unit variable by the number of each slot ("#slot" is that
    of the first), a scalar by that of the first.
    """

    target: str
    kind: str
    name: str
    step: Expr
    arguments: tuple[Expr, ...] = ()

    def _read(self) -> Iterable[str]:
        return loads(self.step).union(*(loads(a) for a in self.arguments))


@dataclass(frozen=True)
class ReadRow(Effects):
    """target := row `row`, a scalar, of a signal; the last row where there are not so many."""

    target: str
    source: str
    row: Expr

    def _read(self) -> Iterable[str]:
        return {self.source} | loads(self.row)


@dataclass(frozen=True)
class Push(Effects):
    """Source enters a delay line at the newest place; `masked`: only where the sample still runs.

    `line` has a place for each value of the source that it holds, in turn; `head`, per sample, is
    the number of the newest from 1, or 0 where nothing has entered. `first`: only there, at all
    places, and the head is 1.
    """

    line: str
    head: str
    source: str
    first: bool = False
    masked: bool = False

    def _read(self) -> Iterable[str]:
        return (self.line, self.head, self.source)

    def _written(self) -> Iterable[str]:
        return (self.line, self.head) if self.first else (self.line,)


@dataclass(frozen=True)
class Recall(Effects):
    """target := what entered a delay line `back` steps before the newest."""

    target: str
    line: str
    head: str
    back: int

    def _read(self) -> Iterable[str]:
        return (self.line, self.head)


@dataclass(frozen=True)
class Branch(Effects):
    """The body where a scalar condition holds."""

    condition: Expr
    body: tuple[Instruction, ...]

    def _read(self) -> Iterable[str]:
        return loads(self.condition).union(*(i.reads for i in self.body))

    def _written(self) -> Iterable[str]:
        return set().union(*(i.writes for i in self.body))


@dataclass(frozen=True)
class Store(Effects):
    """Copies source to row `row` of a record, for the samples that still run."""

    slot: int
    source: str
    row: Expr

    def _read(self) -> Iterable[str]:
        return {self.source} | loads(self.row)

    def _written(self) -> Iterable[str]:
        return ()


@dataclass(frozen=True)
class Output(Effects):
    """Copies source to the output of the presentation, of a signal to one `row` of it."""

    source: str
    row: Expr | None = None

    def _read(self) -> Iterable[str]:
        return {self.source} | (set() if self.row is None else loads(self.row))

    def _written(self) -> Iterable[str]:
        return ()


@dataclass(frozen=True)
class Stop(Effects):
    """Samples for which the condition holds stop moving; the loop ends when none is left."""

    condition: Expr

    def _read(self) -> Iterable[str]:
        return loads(self.condition)

    def _written(self) -> Iterable[str]:
        return ()


Instruction = (
    Map | Block | Reduce | BatchReduce | Product | MatrixProduct | PairwiseSum | Spread | RowReduce
    | RankUpdate | MatrixReduce | Convolve | Correlate | Pool | Unpool | Draw | ReadRow | Push
    | Recall | Branch | Store | Output | Stop
)  # fmt: skip
Code = tuple[Instruction, ...]


def flat(instructions: tuple[Instruction, ...]) -> Iterator[Instruction]:
    """Every instruction, those of branches included."""
    for instruction in instructions:
        yield instruction
        if isinstance(instruction, Branch):
            yield from flat(instruction.body)


def count_products(instructions: tuple[Instruction, ...]) -> int:
    """How many of the instructions multiply a matrix with a batch of vectors."""
    return sum(i.multiplies for i in flat(instructions))
