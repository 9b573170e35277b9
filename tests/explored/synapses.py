"""Random synapses: every kind of connection, weight, current, filter, trace, rule, optimizer."""

from __future__ import annotations

from apical.compartments.connectivity import CONNECTIVITY, DEFAULT_CONNECTION, weight_shape

from .draft import Draft, Population, statements
from .windows import windowed

INITS = (
    "normal(0, 0.4)", "uniform(-0.5, 0.5)", "0.3", "xavier_uniform", "xavier_normal", "eye",
    "0.5*eye + 0.1*normal(0, 1)",
    "0.1*poisson(2)", "normal(0, 1)*bernoulli(0.5)",
    "uniform(-1/sqrt(n_pre), 1/n_post)", "b*normal(0, 0.4)",
)  # fmt: skip
OFTEN = {"dense": 4, "one_to_one": 2, "all_but_self": 2}
GAINS = (
    "tanh({})",
    "logistic({})",
    "{}^2",
    "({} - 0.5)",
    "max({}, 0.1)",
    "{} / (1 + {}^2)",
    "g({})",
)


def draw_synapses(draft: Draft) -> None:
    """One for every port that has a name, and one to four others."""
    rng = draft.rng
    draft.late = draft.chance(0.2)
    for target in draft.populations:
        for compartment, port in target.ports:
            if port is not None:
                _synapse(draft, target, compartment, port)
    if any(p.name == "layer[1]" for p in draft.populations) and draft.chance(0.6, "synapse family"):
        _family(draft)
    places = [(p, *port) for p in draft.populations for port in p.ports]
    for _ in range(rng.choice([1, 1, 2, 3, 4]) if places else 0):
        _synapse(draft, *rng.choice(places))


def _family(draft: Draft) -> None:
    """One entry for both members of the layers: from a population, or from each other."""
    rng, name = draft.rng, draft.name("V", "W", "F")
    layers = [p for p in draft.populations if p.name.startswith("layer")]
    compartment, port = rng.choice(layers[0].ports)
    source, sent = rng.choice(_sources(draft, layers[0]))
    origin = f"{source.name}.{sent}"
    if rng.random() < 0.5:
        origin = f"layer[3-k].{rng.choice(layers[0].named(direct=False))}"
    elif source.name.startswith("layer"):
        origin = f"layer[k].{sent}"
    place = f"layer[k].{compartment}" + (f".{port}" if port else "")
    lines = [f"{name}[k=1..L]:", f"  from: {origin}", f"  to: {place}"]
    lines.append(f"  init: {rng.choice(['normal(0, gain[k])', 'uniform(-0.3*k, 0.3)', '0.2*k'])}")
    if rng.random() < 0.7:
        factor = rng.choice(["eta", "0.1*gain[k]", "0.05*k"])
        lines.append(f"  rule: w += {factor} * post.{rng.choice(layers[0].named())} * pre")
        draft.learnable.append(rng.choice([name, f"{name}[2]", f"{name}[k] for k = 2..1"]))
    draft.add("synapses", *lines)


def _sources(
    draft: Draft, target: Population, delayed: bool = False
) -> list[tuple[Population, str]]:
    """What may be sent there: no loop of variables that follow each other without delay."""
    return [
        (p, v)
        for p in draft.populations
        for v in p.named(direct=delayed or p.number < target.number)
        if not v.startswith("_")
    ]


def _connect(draft: Draft, source: Population, target: Population) -> str:
    ends = target.size, source.size
    kinds = []
    for name, kind in CONNECTIVITY.items():
        if not kind.refuse(*ends) and kind.connections(source.size) and not kind.windows:
            kinds += [name] * OFTEN.get(name, 1)
    return draft.rng.choice(kinds)


def _synapse(draft: Draft, target: Population, compartment: str, port: str | None) -> None:
    rng = draft.rng
    delayed = draft.late and draft.chance(0.6, "delay")
    source, sent = rng.choice(_sources(draft, target, delayed))
    name, place = draft.name(), f"{target.name}.{compartment}" + (f".{port}" if port else "")
    if windowed(draft, name, source, sent, target, place):
        return
    connect = _connect(draft, source, target)
    draft.note(connect)
    lines = [f"{name}:", f"  from: {source.name}.{sent}", f"  to: {place}"]
    if connect != DEFAULT_CONNECTION or draft.chance(0.1):
        lines.append(f"  connect: {_written(draft, connect, source, target)}")
    shape = weight_shape(connect, target.size, source.size)
    bias = CONNECTIVITY[connect].bias and draft.chance(0.3, "bias")
    shared = False
    some = CONNECTIVITY[connect].some
    live = None if bias or rng.random() > 0.25 else _live(draft, shape, some)
    if live is not None:
        draft.note("live weight")
        lines.append(f"  weight: {live}")
        owner = live.removeprefix("transpose(").removeprefix("copy(").removesuffix(")")
        other = draft.synapses.get(owner)
        kinds = (connect, other["connect"]) if other and other["some"] else (connect,)
        alike = other is not None and other["own"] and other["connect"] in kinds and not some
        shared = alike and draft.chance(0.6, "rule of a shared array")
    else:
        lines += _limits(draft, _init(draft, shape, connect, bias or some))
    if bias:
        lines.append("  bias: true")
    filtered = draft.chance(0.2, "filter")
    if filtered:
        lines.append(f"  filter: [{rng.choice(['0.5', 'tau', '2'])}, {rng.choice(['1', '0.7'])}]")
    if delayed:
        lines.append(f"  delay: {rng.choice(['h', '0.4', '3*h', '5*0.2'])}")
    ends = _Ends(draft, name, source, sent, target, bias)
    if draft.chance(0.3, "current"):
        lines.append(f"  current: {_current(ends)}")
        if bias:
            draft.note("bias with current")
    if shared and not filtered:
        rule = f"w += 0.1 * {ends.gain(ends.post())} * {ends.gain(ends.pre())}"
        lines.append(f"  rule: {rule}{rng.choice(['', ' - 0.05*w'])}")
        draft.learnable.append(name)
    plastic = live is None and rng.random() < 0.7
    if plastic:
        lines += _plastic(draft, ends, filtered)
    draft.synapses[name] = {
        "shape": shape, "connect": connect, "bias": bias, "own": live is None, "some": some,
    }  # fmt: skip
    draft.add("synapses", *lines)


def _written(draft: Draft, connect: str, source: Population, target: Population) -> str:
    """A kind of connection with what stands behind its word."""
    rng, kind = draft.rng, CONNECTIVITY[connect]
    if not kind.some:
        return connect
    given = {
        "p": ["0.5", "0.8", "0", "1", "1/n_pre"],
        "k": [str(rng.randint(1, source.size)), "n_pre", "1"],
        "E": ["uniform(0, 1) < 0.6", "post.index != pre.index", "pre.index <= post.index",
              "bernoulli(0.7)*(normal(0, 1) < 1)", "|post.index - pre.index| < 2.5"],
    }  # fmt: skip
    for side, population in (("pre", source), ("post", target)):
        given["E"] += [
            f"{side}.{name} > uniform(-1, 1)" for name in population.lists if name != "up"
        ]  # which `a` decides, and replicas may differ in it
    return kind.written(rng.choice(given[kind.given]))


def _live(draft: Draft, shape: tuple[int, ...], some: bool) -> str | None:
    """An expression over other weights, or a number."""
    rng, found = draft.rng, []
    for name, other in draft.synapses.items() if not some else ():
        if not other["own"] and rng.random() < 0.7:
            continue
        if other["shape"] == shape:
            found += [f"copy({name})", f"-{name}", f"0.5*{name}", f"b*{name}"]
        if other["shape"][::-1] == shape and len(shape) == 2:
            found += [f"transpose({name})", f"transpose({name})", f"-0.7*transpose({name})"]
    products = [] if some else _products(draft, shape)
    if products and draft.chance(0.3, "weight that is a product"):
        return rng.choice(products)
    if not found or rng.random() < 0.25:
        found = ["-0.5", "b", "0.5*a"]
    if draft.chance(0.2, "weight by place"):
        found = ["0.5*cos(2*pi*(post.index - pre.index)/n_post)", "a/(1 + pre.index)",
                 "0.3*(post.index > pre.index)"]  # fmt: skip
    return rng.choice(found)


def _products(draft: Draft, shape: tuple[int, ...]) -> list[str]:
    """Products of two other weights, or of their transposes, of a shape."""
    sides = [(n, o["shape"]) for n, o in draft.synapses.items() if len(o["shape"]) == 2]
    sides += [(f"transpose({name})", size[::-1]) for name, size in sides]
    return [
        f"{factor}product({left}, {right})"
        for left, (posts, inner) in sides
        for right, (other, pres) in sides
        for factor in ("", "0.5*", "-b*")
        if other == inner and (posts, pres) == shape
    ]


def _limits(draft: Draft, lines: list[str]) -> list[str]:
    """Bounds or a sign, and the start put there."""
    rng, at = draft.rng, next((i for i, ln in enumerate(lines) if ln.startswith("  init: ")), None)
    if at is None or not draft.chance(0.2, "limits"):
        return lines
    start, kind = lines[at].removeprefix("  init: "), rng.choice(["bounds", "positive", "negative"])
    lines = list(lines)
    if kind == "bounds":
        low, high = rng.choice([("-0.3", "0.4"), ("0", "0.5"), ("-0.2", "b")])
        lines[at] = f"  init: min(max({start}, {low}), {high})"
        return [*lines, f"  bounds: [{low}, {high}]"]
    lines[at] = f"  init: {'-' * (kind == 'negative')}abs({start})"
    return [*lines, f"  sign: {kind}"]


def _init(draft: Draft, shape, connect: str, bias: bool) -> list[str]:
    rng = draft.rng
    if CONNECTIVITY[connect].init == "1" and draft.chance(0.3):
        return []
    twins = [
        n for n, o in draft.synapses.items()
        if o["own"] and o["shape"] == shape and (o["bias"] == bias or rng.random() < 0.1)
    ]  # fmt: skip
    if twins and draft.chance(0.2, "init from another synapse"):
        return [f"  init: {rng.choice(['-', '0.5*', ''])}{rng.choice(twins)}"]
    if len(shape) == 2 and shape[0] == shape[1] and not bias and draft.chance(0.1, "wishart"):
        return ["  init: wishart"]
    if not bias and draft.chance(0.1, "init by place"):
        return [f"  init: {rng.choice(['0.3*cos(post.index - pre.index)', '0.1*pre.index'])}"]
    return [f"  init: {rng.choice(INITS)}"]


class _Ends:
    """What the texts of a synapse may name."""

    def __init__(self, draft, name, source, sent, target, bias):
        self.name = name
        self.draft, self.source, self.sent, self.target, self.bias = (
            draft,
            source,
            sent,
            target,
            bias,
        )

    def pre(self) -> str:
        """What is sent, or a variable of the source."""
        draft, rng = self.draft, self.draft.rng
        others = [v for v in self.source.named() if v != self.sent]
        if others and draft.chance(0.25 if not self.bias else 0.02, "another variable of pre"):
            return f"pre.{rng.choice(others)}"
        return rng.choice(["pre", "pre", f"pre.{self.sent}"])

    def pre_safe(self) -> str:
        """The same where it must not close a loop."""
        early = self.source.number < self.target.number
        others = [v for v in self.source.named(direct=early) if v != self.sent]
        if (
            others
            and not self.bias
            and self.draft.chance(0.3, "another variable of pre in current")
        ):
            return f"pre.{self.draft.rng.choice(others)}"
        return "pre"

    def post(self, direct: bool = True) -> str:
        found = self.target.named(direct=direct)
        found += [n for n in (*self.target.lists, *self.target.numbers) if n != "gn"]
        return f"post.{self.draft.rng.choice(found)}"

    def gain(self, name: str) -> str:
        rng = self.draft.rng
        if rng.random() < 0.5:
            return name
        return rng.choice(GAINS).replace("{}", name)


def _current(ends: _Ends) -> str:
    rng, draft = ends.draft.rng, ends.draft
    pre, post = ends.pre_safe(), ends.post(direct=False)
    found = [
        "w * pre", "-|w - pre|", f"w * pre * (1 - {post})", f"w * pre * {pre}", f"tanh(w*{pre})",
        "0.5 * w * pre / (1 + pre^2)", f"w * {pre}", f"w * {ends.gain(pre)}",
        f"w * pre * tanh({post} + {pre})", f"a * {pre} * w^2",
    ]  # fmt: skip
    if draft.chance(0.2, "reduction in a current"):
        found = [
            "w * pre / (1 + sum(pre^2))", "w * pre / (1 + norm(w))", "softmax(w) * pre",
            "w * pre - 0.1*mean(w*pre)", f"w * pre / (1 + norm({post}))",
            f"w * pre + 0.1*max({pre})",
        ]  # fmt: skip
    return rng.choice(found)


def _plastic(draft: Draft, ends: _Ends, filtered: bool) -> list[str]:
    rng, name, lines = draft.rng, ends.name, []
    trace = None
    if draft.chance(0.25, "trace"):
        trace = rng.choice(["m"] * (20 if filtered else 2) + ["s", "p"])
        inside = rng.choice(
            [f"{ends.post()} * {ends.pre()}", f"{ends.post()} * {ends.gain('pre')}", ends.post(),
             f"{ends.post()}*pre - 0.1*w", f"tanh({ends.post()} + pre)", "pre"]
        )  # fmt: skip
        leak = rng.choice([f"-{trace}", f"-{trace}", f"-0.5*{trace}", f"-{trace}*{ends.post()}^2"])
        draft.one_at_a_time |= "*post" in leak
        lines.append(
            f"  trace: {rng.choice(['', 'tau * ', '3 * '])}d{trace}/dt = {leak} + {inside}"
        )
    rules = [_rule(draft, name, ends, trace)]
    if draft.chance(0.2, "list of rules"):
        rules.append(
            rng.choice(["w -= 0.1*w", "w := clip(w, -1, 1)", f"w += 0.1*{ends.post()}*pre"])
        )
    continuous = draft.chance(0.2, "dw/dt")
    if continuous:
        rules = [rng.choice([
            f"dw/dt = 0.3*{ends.post()}*{ends.pre()}", f"4 * dw/dt = -w + {ends.post()}*pre",
            f"dw/dt = {trace or '0.2*' + ends.post()}", "dw/dt = -0.2*w",
            f"dw/dt = 0.1*{ends.post()}^2 * (pre - {ends.post()}*w)",
        ])]  # fmt: skip
    lines += statements("rule", rules)
    puts = any(":=" in rule for rule in rules)
    if draft.chance(0.15, "batch: sum"):
        lines.append("  batch: sum")
    if not continuous:
        draft.learnable.append(name)
        if draft.chance(0.35):
            optimizer = rng.choice(
                ["sgd(0.5)", "sgd(0.9^presentation)", "momentum(0.1)", "momentum(0.1, 0.5)",
                 "nesterov(0.1, 0.8)", "adam(0.01)", "adam(eta, 0.8, 0.95, 1e-3)",
                 "adamw(0.01, 0.2)", "rmsprop(0.01, 0.8)", "mq(0.05)", "mq(0.05, 0.01, 1e-3, 0.6)"]
            )  # fmt: skip
            if not puts or optimizer[:2] in ("sg", "mq"):
                draft.note(optimizer.split("(")[0])
                lines.append(f"  optimizer: {optimizer}")
    return lines


def _rule(draft: Draft, name: str, ends: _Ends, trace: str | None) -> str:
    rng = draft.rng
    eta = rng.choice(
        ["eta", "0.1", "rate(presentation)", "b*eta", "0.1*0.9^epoch", "eta/(1 + sample)"]
    )
    pre, post = ends.gain(ends.pre()), ends.gain(ends.post())
    found = [
        f"{post} * {pre}", f"{post} * {pre} - 0.1*w", f"({post} - w*{ends.post()}) * {ends.pre()}",
        f"{post} * (pre - {ends.post()}*w)", f"w * {post} * {pre}", f"{post} * {pre} / (1 + w^2)",
        f"({post} - pre)^2 * 0.1", f"{post}", "-w", f"({post} + 0.2) * ({pre} - 0.1)",
    ]  # fmt: skip
    if trace:
        found = [trace, f"{trace} - 0.1*w", f"b*{trace}"]
        if draft.chance(0.4, "trace for one sample at a time"):
            found = [f"{trace} * {post}", f"{trace} * {post} * pre", f"tanh({trace})"]
            draft.one_at_a_time = True
    elif draft.chance(0.15, "reduction in a rule"):
        found = [
            f"{post} * pre / (1 + sum(pre^2))", "-w * sum(w^2)", "-w * norm(w)",
            f"{post} * pre - w*mean(w)", f"{post} * pre * mean({ends.post()})", "-softmax(w)",
            f"{post} * norm({ends.pre()}) * pre", f"{post} * sum(w*pre) * 0.1", "-w * max(w)",
        ]  # fmt: skip
    elif draft.chance(0.03, "rule that cannot be separated"):
        found = [f"tanh({post} + pre)", f"{post} / (1 + {ends.post()}^2 + pre^2)"]
    if draft.chance(0.15) and len(draft.phases) > 1:
        draft.note("x@p in a rule")
        states = ends.target.named("state")
        if states:
            early = draft.phases[0]
            v = rng.choice(states)
            draft.latched.add((name, early))
            found = [
                f"(post.{v} - post.{v}@{early}) * {pre}",
                f"post.{v}@{early} * pre.{ends.sent}@{early}",
            ]
    kind = rng.choice(["+=", "+=", "+=", "+=", "-=", ":="])
    if kind == ":=":
        return f"w := 0.9*w + {eta}*{post} * {pre}"
    return f"w {kind} {eta} * ({rng.choice(found)})"
