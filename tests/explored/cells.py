"""Random cells, and the populations made of them."""

from __future__ import annotations

from .draft import SIZES, Draft, Population, Variable, statements
from .expressions import expression, number, reduction

VARIABLES = ("x", "u", "r", "q", "v", "I", "s", "p", "t", "beta", "N", "k", "e", "W", "step", "c")


def draw_populations(draft: Draft) -> None:
    """One to four of them: sensory ones, ones with states, a family."""
    rng = draft.rng
    image = rng.choice(SIZES)
    draft.streams["image"] = image
    _sensory(draft, image)
    for _ in range(rng.choice([1, 1, 2, 2, 3])):
        if draft.chance(0.15, "family") and "layer" not in draft.taken:
            _family(draft)
        else:
            size = rng.choice([*SIZES, image])
            name = draft.name()
            cell = f"c_{name}"
            member = Population(name, size, len(draft.populations))
            shape = rng.choice(_shapes(size)) if draft.chance(0.15, "shape") else None
            made = _Cell(draft, cell, [member], [], shape)
            made.draw()
            member.shape = shape
            _declare(draft, name, cell, str(size), [member], made.parameters)
    if any(p.size == 1 for p in draft.populations):
        draft.note("population of size 1")
    for name, size in draft.streams.items():
        draft.add("data", *_declared(draft, name, size))


def _declared(draft: Draft, name: str, size: int) -> list[str]:
    """A stream of `data`; sometimes with a time axis."""
    if not draft.chance(0.2, "signal"):
        return [f"{name}: {size}"]
    draft.signals.add(name)
    kinds = ["hold", "linear", "every: step"]
    if draft.named_like_a_word == "step":
        kinds.pop()  # it would be that parameter
    kind = draft.rng.choice(kinds)
    draft.note(f"signal {kind}")
    every = {
        "every: step": ["step"],
        "hold": ["1", "1", "5*h", "2", "0.5*2"],
        "linear": ["1", "0.3", "0.7*h", "h", "1.3*tau"],
    }[kind]
    lines = [f"{name}:", f"  size: {size}", f"  every: {draft.rng.choice(every)}"]
    if kind == "hold":
        draft.even = True
        lines += draft.rng.choice([[], ["  between: hold"]])
    return lines + (["  between: linear"] if kind == "linear" else [])


def _shapes(size: int) -> list[tuple[int, ...]]:
    """Two or three sides whose product is the size."""
    sides = [n for n in range(1, size + 1) if size % n == 0]
    found: list[tuple[int, ...]] = [(n, size // n) for n in sides]
    return found + [(n, 1, size // n) for n in sides]


def _stream(draft: Draft, size: int) -> str | None:
    """A stream that a population of this size may read: of its size, or of size 1."""
    rng = draft.rng
    if draft.chance(0.25):
        name = "scalar" if draft.chance(0.5) else "label"
        wanted = 1 if name == "scalar" else size
        if draft.streams.setdefault(name, wanted) in (1, size):
            if draft.streams[name] == 1 and size > 1:
                draft.note("stream of size 1 read by n units")
            return name
    found = [n for n, s in draft.streams.items() if s in (1, size)]
    return rng.choice(found) if found and rng.random() < 0.5 else None


def _sensory(draft: Draft, size: int) -> None:
    name = draft.name("inp", "s", "x0", "pre0")
    member = Population(name, size, 0)
    if draft.chance(0.2, "clamped by begin only"):
        draft.add("cells", f"c_{name}:", "  soma:", "    - x = image", "    - y = 0.5*x + tanh(z)")
        draft.add("cells", "  after_step: z += 0.1*(x - z)")
        member.variables = [Variable("x", "algebraic"), Variable("y", "algebraic")]
        member.variables.append(Variable("z", "assigned"))
        member.moves = True
    else:
        draft.add("cells", f"c_{name}:", "  soma: x = image")
        member.variables = [Variable("x", "algebraic")]
    _declare(draft, name, f"c_{name}", str(size), [member])


def _family(draft: Draft) -> None:
    rng = draft.rng
    draft.taken.add("layer")
    sizes = [rng.choice(SIZES) for _ in range(2)]
    draft.add("parameters", f"sizes: [{sizes[0]}, {sizes[1]}]", "L: len(sizes)")
    draft.add("parameters", "gain[k=1..L]: [0.8, 0.4]")
    members = [
        Population(f"layer[{k}]", sizes[k - 1], len(draft.populations) + k - 1) for k in (1, 2)
    ]
    _Cell(draft, "relay", members, ["gn"]).draw()
    _declare(draft, "layer[k=1..L]", "relay", "sizes[k-1]", members, ["gn: gain[k]"])


def _declare(draft, key, cell, size, members, parameters=()) -> None:
    lines = [f"{key}:", f"  cell: {cell}", f"  size: {size}"]
    if members[0].shape is not None:
        lines[-1] = f"  shape: [{', '.join(map(str, members[0].shape))}]"
    if parameters:
        lines += ["  parameters:", *(f"    {p}" for p in parameters)]
    draft.add("populations", *lines)
    draft.populations += members


class _Cell:
    """A cell with one or two states, what it reads and what it shows, for the members given."""

    def __init__(
        self, draft: Draft, name: str, members: list[Population], own: list[str], shape=None
    ):
        self.shape = shape
        self.draft, self.rng, self.name, self.members = draft, draft.rng, name, members
        self.size = members[0].size if len(members) == 1 else None  # None: several sizes
        self.free = list(VARIABLES)
        self.rng.shuffle(self.free)
        self.variables: list[Variable] = []
        self.parts: dict[str, list[str]] = {"soma": []}
        self.ports: list[tuple[str, str | None]] = []
        self.inputs: list[str] = []
        self.constants, self.parameters = ["a", "b", *own], []
        self.numbers, self.lists, self.rules = list(own), [], []

    def draw(self) -> None:
        """The whole cell."""
        self._constants()
        self._inputs()
        slow = self._slow()
        states = [self.free.pop() for _ in range(self.rng.choice([1, 1, 2]))]
        self.safe = [*states, *self.constants]
        for position, state in enumerate(states):
            self._state(position, state)
        shown = self._shown(states)
        self.rng.shuffle(self.parts["soma"])
        lines = [f"{self.name}:"]
        for compartment, found in self.parts.items():
            lines += statements(compartment, found)
        lines += self._slow_lines(slow, shown) + self._after_step(states, shown)
        lines += self._events(states, shown)
        if self.draft.chance(0.15, "domain"):
            lines += ["  domain:", f"    {states[-1]}: [-0.6, {self.rng.choice(['0.7', '1 + a'])}]"]
        if self.draft.chance(0.15, "heir"):
            lines[0] = f"base_{self.name}:"
            lines += [f"{self.name}:", f"  is: base_{self.name}", "  soma:"]
            lines += [f"    - {self.parts['soma'][0]}"]
        self.draft.add("cells", *lines)
        for member in self.members:
            member.variables, member.ports, member.moves = self.variables, self.ports, True
            member.rules, member.lists, member.numbers = self.rules, self.lists, self.numbers

    def _constants(self) -> None:
        """Parameters, of the file and of the population, lists, streams, the time."""
        draft, rng = self.draft, self.rng
        if draft.named_like_a_word:
            self.constants.append(draft.named_like_a_word)
            if draft.named_like_a_word in self.free:
                self.free.remove(draft.named_like_a_word)
        if draft.chance(0.15, "reads t") and "t" in self.free and draft.named_like_a_word != "t":
            self.free.remove("t")
            self.constants.append("sin(t)")
        if draft.chance(0.12, "reads a counter") and draft.named_like_a_word != "sample":
            counter = self.rng.choice(["presentation", "sample", "epoch"])
            self.constants.append(f"1/(2 + {counter})")
        if draft.chance(0.1, "index"):
            self.constants.append(rng.choice(["0.1*index", "sin(index)", "1/(1 + index)"]))
        if self.shape and draft.chance(0.6, "row and column"):
            words = ["0.2*row", "cos(column)", "row - column"]
            words += ["0.3*channel"] if len(self.shape) == 3 else []
            self.constants.append(rng.choice(words))
        if self.size is None:
            return
        if draft.chance(0.12, "parameter of every unit"):
            right = rng.choice(["0.1*index", "a/(1 + index)", "cos(index) + 0.5*gp"])
            if draft.chance(0.6, "parameter drawn for every unit"):
                right = rng.choice(
                    [
                        "normal(a, 0.3)",
                        "0.1*index + uniform(-1, 1)*bernoulli(0.5)",
                        "0.1*poisson(3)",
                        "uniform(0, 1) - normal(0.1*index, 0.2)",
                    ]
                )
            if "gp" in right:
                draft.add("parameters", f"gp_{self.name}: {number(rng)}")
                right = right.replace("gp", f"gp_{self.name}")
            self.parameters.append(f"up: {right}")
            self.lists.append("up")
            self.constants.append("up")
        if draft.chance(0.2, "parameter of a population"):
            self.parameters.append(f"gp: {number(rng)}")
            self.numbers.append("gp")
            self.constants.append("gp")
        if draft.chance(0.25 if self.size > 1 else 0.05, "list parameter"):
            values = ", ".join(f"{rng.uniform(-1, 1):.2f}" for _ in range(self.size))
            if rng.random() < 0.5:
                self.parameters.append(f"lp: [{values}]")
                self.lists.append("lp")
                self.constants.append("lp")
            else:
                draft.add("parameters", f"l_{self.name}: [{values}]")
                self.constants.append(f"l_{self.name}")
        stream = _stream(draft, self.size)
        self.constants += [stream] if stream else []

    def _inputs(self) -> None:
        """What arrives: a variable of a dendrite, a port, `input` in the soma."""
        draft, rng = self.draft, self.rng
        for compartment in rng.sample(["basal", "apical", "tuft"], rng.choice([0, 1, 1, 2])):
            name = self.free.pop()
            text = rng.choice(["", "0.5*", "-"]) + "input"
            self.ports.append((compartment, None))
            if draft.chance(0.25, "port"):
                forms = ["input + input.inh", "input.inh*tanh(input)", "input - input.inh"]
                text = rng.choice(forms)
                self.ports.append((compartment, "inh"))
            self.parts[compartment] = [f"{name} = {text}"]
            self.variables.append(Variable(name, "algebraic", direct=True))
            self.inputs.append(name)
        if not self.inputs or draft.chance(0.2):
            self.ports.append(("soma", None))
            self.inputs.append("input")

    def _slow(self) -> str | None:
        if not self.draft.chance(0.3, "slow variable"):
            return None
        slow = self.free.pop()
        self.variables.append(Variable(slow, "slow"))
        self.constants.append(slow)
        return slow

    def _state(self, position: int, state: str) -> None:
        """`tau * dx/dt = -x + what drives it`, perhaps with noise."""
        draft, rng = self.draft, self.rng
        tau = rng.choice(["", "tau * ", "2 * ", "(1.5 + a) * "])
        if "lp" in self.lists and draft.chance(0.2, "a time constant of every unit"):
            tau = "(1.5 + lp) * "
        right = f"-{state}" if rng.random() < 0.8 else f"-0.5*{state}*(1 + {state}^2)"
        drive = expression(rng, [*self.safe, *self.inputs], 2)
        right += f" + {rng.choice(['', '0.5*'])}{drive}"
        if position == 0:
            right += f" + tanh({' + '.join(self.inputs)})"
        if draft.chance(0.12, "parameter that a phase sets"):
            right += f" + nudge*({rng.choice(self.constants)} - {state})"
            draft.set_parameters.append("nudge")
        noisy = draft.chance(0.12, "noise")
        if noisy:
            right += rng.choice([" + 0.1*xi", " + 0.1*a*xi", f" + 0.1*cos({state})*xi"])
            if draft.chance(0.2, "two draws in a line"):
                right += " - 0.05*xi"
        self.parts["soma"].append(f"{tau}d{state}/dt = {right}")
        self.variables.append(Variable(state, "state", noisy=noisy))

    def _shown(self, states: list[str]) -> list[str]:
        """Algebraic variables; those returned do not follow what arrives without delay."""
        rng, shown = self.rng, list(states)
        for _ in range(min(rng.choice([0, 1, 1, 2, 3]), len(self.free) - 2)):
            name = self.free.pop()
            right, direct = self._right(states, shown)
            self.parts["soma"].append(f"{name} = {right}")
            self.variables.append(Variable(name, "algebraic", direct))
            if not direct:
                self.safe.append(name)
                shown.append(name)
        return shown

    def _right(self, states: list[str], shown: list[str]) -> tuple[str, bool]:
        rng, kind = self.rng, self.rng.random()
        if kind < 0.35:
            return expression(rng, self.safe), False
        if kind < 0.6 and "input" not in self.inputs:
            return expression(rng, [*self.safe, *self.inputs]), True
        if kind < 0.75:
            self.draft.note("reduction")
            less = expression(rng, self.safe, 1)
            return f"{reduction(rng, rng.choice(shown), self.size or 3)} - 0.2*{less}", False
        if kind < 0.85 and not any(v.noisy for v in self.variables):
            self.draft.note("du/dt on a right side")
            return f"0.5*d{rng.choice(states)}/dt", True
        return f"{rng.choice(states)} - {rng.choice(self.safe)}", False

    def _slow_lines(self, slow: str | None, shown: list[str]) -> list[str]:
        rng = self.rng
        if slow is None:
            return []
        start = rng.choice(["0", "0.3", "a", "0.5*b"])
        if self.draft.chance(0.2, "drawn start of a slow variable"):
            start = rng.choice(["normal(0, 0.5)", "0.1*index - uniform(0, a^2)", "random_sign()"])
        lines = ["  slow:", f"    {slow}: {start}"]
        if self.draft.chance(0.8, "rule of a slow variable"):
            target = rng.choice(shown)
            rule = f"{slow} += {rng.choice(['eta', '0.2'])}*({target} - {slow})"
            if self.draft.chance(0.15):
                rule = f"{slow} := 0.5*{target}"
            lines.append(f"  rules: {rule}")
            self.rules.append(slow)
        return lines

    def _after_step(self, states: list[str], shown: list[str]) -> list[str]:
        after: list[str] = []
        if self.draft.chance(0.25, "after_step"):
            name = self.free.pop()
            after.append(f"{name} += 0.1*({self.rng.choice(shown)} - {name})")
            self.variables.append(Variable(name, "assigned"))
        if self.draft.chance(0.15, "after_step on a state"):
            after.append(f"{states[0]} := clip({states[0]}, -0.8, 1.2)")
        if self.draft.chance(0.12, "draw in after_step"):
            name = self.free.pop()
            after.append(f"{name} := 0.5*{name} + {self._draw(shown)}")
            if self.rng.random() < 0.4:
                after.append(f"{name} -= {self._draw(shown)}")
            self.variables.append(Variable(name, "assigned"))
        return statements("after_step", after) if after else []

    def _events(self, states: list[str], shown: list[str]) -> list[str]:
        """One or two events: a threshold, or by chance; what they set, and hold."""
        rng, lines = self.rng, []
        if not self.draft.chance(0.2, "event"):
            return []
        for _ in range(rng.choice([1, 1, 2])):
            if len(self.free) < 3:
                break
            name, x, y = self.free.pop(), rng.choice(states), rng.choice(shown)
            when = rng.choice(
                [f"{x} > 0.1037", f"{y} < {x}", f"{y}^2 >= 0.2071*(1 + uniform(0, 1))",
                 "uniform(0, 1) < 0.3"]
            )  # fmt: skip
            do = [f"{x} := {rng.choice(['0', '-0.2', 'a', f'0.5*{y}'])}"]
            if rng.random() < 0.4:
                count = self.free.pop()
                do.append(f"{count} += 1")
                self.variables.append(Variable(count, "assigned"))
            if rng.random() < 0.3:
                do.append(f"{rng.choice(states)} -= {self._draw(shown)}")
            lines += [f"    {name}:", f"      when: {when}", *statements("do", do, "      ")]
            if self.draft.chance(0.5, "refractory time"):
                lines.append(f"      for: {rng.choice(['0.4', '2*h', '0', '1'])}")
                if rng.random() < 0.8:
                    lines.append(f"      hold: {x}")
            self.variables.append(Variable(name, "assigned"))
        return ["  events:", *lines] if lines else []

    def _draw(self, shown: list[str]) -> str:
        """What a line of `after_step` may draw."""
        read = self.rng.choice(shown)
        return self.rng.choice(
            ["normal(0, 0.2)", f"uniform(-0.1, 0.1)*{read}", f"0.1*bernoulli(logistic({read}))",
             f"0.1*poisson(0.5 + {read}^2/(1 + {read}^2))", f"normal({read}, uniform(0, 0.1))",
             "0.1*random_sign()", "g(normal(0, 1))", "0.1*(normal(0, 1) - normal(0, 1))"]
        )  # fmt: skip
