"""Random protocols: phases with all their keys, what they learn, and what is recorded."""

from __future__ import annotations

from apical.compartments.integrators import DEFAULT_METHOD, TABLEAUX

from .draft import Draft, statements
from .expressions import expression


def name_phases(draft: Draft) -> None:
    """How many phases `train` has and what they are called, before anything names them."""
    draft.phases = draft.rng.choice([["run"], ["run"], ["free", "nudged"], ["one", "two", "three"]])
    draft.note(f"{len(draft.phases)} phases")


def draw_protocols(draft: Draft) -> None:
    """`train`, sometimes `predict`, energies, records."""
    lines = ["train:"]
    for number, name in enumerate(draft.phases):
        lines += [f"  {line}" for line in _phase(draft, number, name)]
    draft.add("protocols", *lines)
    if draft.chance(0.3, "predict") and "label" in draft.streams:
        chosen = draft.phases[:1]
        draft.add("protocols", *statements("predict", chosen, ""))
        sizes = draft.streams["label"]
        found = [(p, v) for p in draft.populations for v in p.named() if p.size == sizes]
        if found:
            p, v = draft.rng.choice(found)
            draft.add("predicts", f"label: {p.name}.{v}")


def _phase(draft: Draft, number: int, name: str) -> list[str]:
    rng, lines = draft.rng, [f"{name}:"]
    moving = [p for p in draft.populations if p.moves]
    if number and draft.chance(0.3, "from"):
        lines.append(f"  from: {draft.phases[rng.randrange(number)]}")
    if draft.clamped and draft.chance(0.4, "release"):
        p, v = draft.clamped.pop()
        lines.append(f"  release: {p}.{v}")
    lines += _clamps(draft, moving)
    if draft.set_parameters and (number == 0 or draft.chance(0.5)):
        draft.note("set")
        value = rng.choice(
            ["0", "0.5", "b", "0.5*random_sign()", "uniform(0, 0.5)", "normal(0.2, 0.1)",
             "0.3*bernoulli(0.5)", "0.1*poisson(2)",
             "uniform(0, 0.2) + uniform(0, 0.2)"]
        )  # fmt: skip
        if "(" in value:
            draft.note("draw in set")
        lines.append(f"  set: nudge = {value}")
    begins = _begins(draft, moving, number) if draft.chance(0.35) else []
    if begins:
        draft.note("begin")
        lines += statements("begin", begins)
    if draft.chance(0.12, "moment"):
        stepped = False
    else:
        stepped = True
        lines += _steps(draft, moving)
    if stepped:
        lines += _each_step(draft, number)
    if stepped and draft.chance(0.1, "plasticity: off"):
        lines.append("  plasticity: off")
    lines += _learn(draft, number)
    if len(lines) == 1:
        lines += _steps(draft, moving)
    return lines


def _clamps(draft: Draft, moving) -> list[str]:
    rng = draft.rng
    if not moving or not draft.chance(0.2, "clamp"):
        return []
    p = rng.choice(moving)
    found = [v for v in p.named("state assigned") if (p.name, v) not in draft.clamped]
    if not found:
        return []
    v = rng.choice(found)
    streams = [s for s, size in draft.streams.items() if size in (1, p.size)]
    value = rng.choice([*streams, *streams, "0.5", "a - b", *p.lists, *p.named("slow")])
    draft.clamped.add((p.name, v))
    return [f"  clamp: {p.name}.{v} = {value}"]


def _begins(draft: Draft, moving, number: int) -> list[str]:
    rng, lines = draft.rng, []
    for _ in range(rng.choice([1, 1, 2])):
        p = rng.choice(moving)
        v = rng.choice(p.named("state assigned"))
        if (p.name, v) in draft.clamped:
            continue
        streams = [s for s, size in draft.streams.items() if size in (1, p.size)]
        names = [*p.named(), *streams, *p.lists, "a"]
        if number and draft.chance(0.3, "x@p in begin"):
            names = [f"{rng.choice(p.named())}@{rng.choice(draft.phases[:number])}"]
        lines.append(f"{p.name}.{v} := {expression(rng, names, 1)}")
        if draft.chance(0.15, "draw in begin"):
            lines[-1] += rng.choice(
                [" + normal(0, 0.3)", " - uniform(0, a)*bernoulli(0.4)", " + 0.1*poisson(2)",
                 f" + normal(0.1*{names[0]}, 0.2)", " - uniform(-1, 1)^2"]
            )  # fmt: skip
    layers = [p for p in moving if p.name.startswith("layer")]
    if layers and draft.chance(0.4, "statement for k"):
        v = rng.choice(layers[0].named("state"))
        if not any((p.name, v) in draft.clamped for p in layers):
            value = rng.choice(["0.1*k", "gn", f"layer[1].{v} + 0.2"])
            if "[1]" in value and layers[0].size not in (1, layers[1].size):
                value = "0.3"
            lines.append(f"layer[k].{v} := {value} for k = {rng.choice(['1..L', 'L..1'])}")
    if not lines:
        p = moving[0]
        found = [v for v in p.named("state assigned") if (p.name, v) not in draft.clamped]
        lines = [f"{p.name}.{found[0]} := 0.3"] if found else []
    return lines


def _steps(draft: Draft, moving) -> list[str]:
    rng = draft.rng
    dt = rng.choice(["h", "0.1", "0.25", "0.5", "h/2"])
    if draft.late:
        dt = "h"
    elif not draft.even and draft.chance(0.15, "dt: h(step)"):
        dt = "shrink(step)"
    if draft.chance(0.15, "for") and "step" not in dt:
        lines = ["  for: 1.1", f"  dt: {dt}"]
    else:
        lines = [f"  steps: {rng.choice(['1', '2', '3', '5', 'T'])}", f"  dt: {dt}"]
    method = rng.choice([DEFAULT_METHOD, *TABLEAUX])
    draft.note(method)
    if method != DEFAULT_METHOD or draft.chance(0.2):
        lines.append(f"  method: {method}")
    if draft.chance(0.25, "order"):
        found = [p.name for p in moving]
        if all(name.startswith("layer") for name in found) and draft.chance(0.7):
            lines.append(f"  order: k = {rng.choice(['1..L', 'L..1'])}")
        else:
            whole = draft.chance(0.5, "family in an order")
            bases = [name.split("[")[0] if whole else name for name in found]
            bases = list(dict.fromkeys(bases))
            rng.shuffle(bases)
            lines.append(f"  order: {', '.join(bases)}")
    states = [(p, v) for p in moving for v in p.named("state")]
    noisy = any(v.noisy for p in moving for v in p.variables)
    if states and draft.chance(0.2, "until"):
        draft.one_at_a_time |= "trace" in draft.features
        p, v = rng.choice(states)
        tolerance = rng.choice(["0.02", "0.1", "0.3"])
        if noisy or rng.random() < 0.7:
            lines.append(f"  until: change({p.name}.{v}) < {tolerance}*norm({p.name}.{v})")
        else:
            draft.note("residual")
            lines.append(f"  until: residual < {tolerance}")
    return lines


def _allowed(draft: Draft, number: int, at_end: bool) -> list[str]:
    """What may be learnt in this phase: every x@p that it reads has its value."""
    ended = draft.phases[: number + at_end]
    late = {name for name, phase in draft.latched if phase not in ended}
    slow = [f"{p.name}.{v}" for p in draft.populations for v in p.rules]
    return [name for name in draft.learnable if name not in late] + slow


def _each_step(draft: Draft, number: int) -> list[str]:
    found = _allowed(draft, number, at_end=False)
    if not found or not draft.chance(0.2, "learn_each_step"):
        return []
    when = ""
    if draft.chance(0.5, "when"):
        when = draft.rng.choice([" when step == 1", " when step >= 1", " when presentation < 1"])
    return [f"  learn_each_step: {draft.rng.choice(found)}{when}"]


def _learn(draft: Draft, number: int) -> list[str]:
    rng, found = draft.rng, _allowed(draft, number, at_end=True)
    last = number == len(draft.phases) - 1
    if not found or not (last or draft.chance(0.3)):
        return []
    rng.shuffle(found)
    found = found[: rng.choice([1, 2, 3, 9])]
    text = found[0]
    for item in found[1:]:
        text += rng.choice(["; ", ", "]) + item
    draft.note("learn")
    return [f"  learn: {text}"]


def draw_records(draft: Draft) -> list[str]:
    """Lines of `record`: every variable of every population, whole or in part, and energies."""
    rng, lines = draft.rng, []
    for _ in range(rng.choice([0, 1, 1, 2])):
        p = rng.choice(draft.populations)
        name = draft.name("F", "E", "error", "loss", "I", "s")
        v = rng.choice(p.named())
        text = rng.choice(
            [f"sum({p.name}.{v}^2) / 2", f"mean({p.name}.{v}) + a", f"norm({p.name}.{v})"]
        )
        if draft.chance(0.3) and any(q.name == "layer[1]" for q in draft.populations):
            w = rng.choice(next(q for q in draft.populations if q.name == "layer[1]").named())
            text = f"{rng.choice(['sum', 'mean'])}(layer[1..L].{w}^2)"
            draft.note("energy over members")
        draft.note("energy")
        draft.add("energy", f"{name}: {text}")
        lines.append(name + rng.choice(["", f" in {rng.choice(draft.phases)}", " every 2"]))
    layers = [p for p in draft.populations if p.name.startswith("layer")]
    if layers and draft.chance(0.3, "record for k"):
        v = rng.choice(layers[0].named("state"))
        lines.append(rng.choice([f"layer[k].{v} for k = 1..2", f"layer[1..2].{v}"]))
    for p in draft.populations:
        for v in p.named("state algebraic assigned"):
            if draft.chance(0.2, "record every, in, mean or norm"):
                phase = rng.choice(draft.phases)
                lines.append(
                    f"{p.name}.{v}"
                    + rng.choice(
                        [
                            f" in {phase}",
                            " every 2",
                            f" in {phase} every 3",
                            " mean",
                            " norm",
                            f"@{phase}",
                        ]
                    )
                )
            else:
                lines.append(f"{p.name}.{v}")
    for name, one in draft.synapses.items():
        if one["own"] and draft.chance(0.15, "weights at steps"):
            when = rng.choice(["every 2 steps", f"in {rng.choice(draft.phases)}", "every 3 steps"])
            lines.append(f"{name} {when}{rng.choice(['', ' norm', ' mean'])}")
    return lines
