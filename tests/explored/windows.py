"""Convolutions and poolings between populations that happen to have shapes."""

from __future__ import annotations

from itertools import product

from .draft import Draft, Population

RULES = ["0.1*post.{0}*pre", "0.05*(post.{0} + 0.3)*sin(pre)", "0.1*pre - 0.02*w*post.{0}^2"]


def windowed(
    draft: Draft, name: str, source: Population, sent: str, target: Population, place: str
) -> bool:
    """Adds a convolution, a pooling or the transpose of one, where the shapes allow any."""
    if source.shape is None or target.shape is None or not draft.rng.random() < 0.7:
        return False
    rng, found = draft.rng, []
    image, seeing = _sides(source), _sides(target)
    for size, stride, padding in product((1, 2, 3), (1, 2), (0, 1)):
        if padding < size and _fits(image, seeing, size, stride, padding):
            found.append(f"convolution({size}, {stride}, {padding})")
    for size in (1, 2, 3):
        if image[0] == seeing[0] and _fits(image, seeing, size, size, 0):
            found += [f"pooling(max, {size})", f"pooling(mean, {size})"]
    turned = [
        (n, o) for n, o in draft.kernels.items() if o["ends"] == (seeing, image)
    ]  # fmt: skip
    lines = [f"{name}:", f"  from: {source.name}.{sent}", f"  to: {place}"]
    if turned and rng.random() < 0.5:
        other, _ = rng.choice(turned)
        draft.note("transposed windows")
        lines.append(f"  weight: {rng.choice(['', '-', '0.5*'])}transpose({other})")
        draft.add("synapses", *lines)
        return True
    if not found:
        return False
    connect = rng.choice(found)
    draft.note(connect.split("(")[0])
    draft.kernels[name] = {"ends": (image, seeing)}
    lines.append(f"  connect: {connect}")
    if connect.startswith("convolution"):
        lines += _weights(draft, name, target)
    draft.add("synapses", *lines)
    return True


def _weights(draft: Draft, name: str, target: Population) -> list[str]:
    rng = draft.rng
    lines = [f"  init: {rng.choice(['normal(0, 0.4)', 'xavier_uniform', '0.3', '1/n_pre'])}"]
    lines += ["  bias: true"] * (rng.random() < 0.5) + ["  batch: sum"] * (rng.random() < 0.3)
    if rng.random() < 0.3:
        lines.append("  filter: [0.5, tau]")
    post = rng.choice(target.named())
    kind = rng.choice(["w +=", "w -=", "tau * dw/dt =", ""])
    if kind:
        lines.append(f"  rule: {kind} {rng.choice(RULES).format(post)}")
    if kind.startswith("w"):
        draft.learnable.append(name)
        if rng.random() < 0.4:
            lines.append(f"  optimizer: {rng.choice(['momentum(0.1, 0.5)', 'adam(0.01)'])}")
    return lines


def _sides(population: Population) -> tuple[int, ...]:
    assert population.shape is not None
    return population.shape if len(population.shape) == 3 else (1, *population.shape)


def _fits(image, seeing, size: int, stride: int, padding: int) -> bool:
    room = [n + 2 * padding - size for n in image[1:]]
    return min(room) >= 0 and [n // stride + 1 for n in room] == list(seeing[1:])
