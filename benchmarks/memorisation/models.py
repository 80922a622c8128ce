"""A family of small transformers over melody tokens, in plain JAX.

Decoders with learned positions, layer normalisation before each block, and tied embeddings (Vaswani et
al. 2017; Radford et al. 2019). Several seeds are trained side by side. All are trained by one rule:
Adam, and the parameters of the lowest validation loss, until it has not fallen for `PATIENCE` looks.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from tunes import BEGIN, CONTEXT, END, VOCABULARY

BATCH = 64
LOOK = 200
"""Steps between looks at the validation loss."""
PATIENCE = 5
MOST_STEPS = 20_000
Parameters = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """Width, blocks and heads of a model."""

    width: int
    blocks: int
    heads: int

    @property
    def rate(self) -> float:
        """Learning rate: smaller for wider models."""
        return float(min(3e-3, 3e-3 * (32 / self.width) ** 0.75))


SIZES = (
    Size(4, 1, 1), Size(8, 1, 1), Size(16, 1, 2), Size(24, 2, 2), Size(48, 2, 4), Size(80, 3, 4),
    Size(144, 4, 6), Size(256, 5, 8), Size(384, 6, 8),
)  # fmt: skip


def initial(size: Size, key: jax.Array) -> Parameters:
    """Draw the parameters of a model."""
    d, n = size.width, size.blocks
    keys = jax.random.split(key, 6)

    def drawn(key: jax.Array, *shape: int) -> jax.Array:
        return 0.5 * jax.random.normal(key, shape) / jnp.sqrt(shape[-2])

    return {
        "embed": 0.1 * jax.random.normal(keys[0], (VOCABULARY, d)),
        "place": 0.02 * jax.random.normal(keys[1], (CONTEXT, d)),
        "blocks": {
            "attend": drawn(keys[2], n, d, 3 * d),
            "mix": drawn(keys[3], n, d, d),
            "up": drawn(keys[4], n, d, 4 * d),
            "down": drawn(keys[5], n, 4 * d, d),
            "scale": jnp.ones((n, 2, d)),
        },
        "scale": jnp.ones(d),
        "bias": jnp.zeros(VOCABULARY),
    }


def parameters_of(size: Size) -> int:
    """Count the parameters of a model."""
    shapes = jax.eval_shape(lambda: initial(size, jax.random.key(0)))
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(shapes))


def _normal(x: jax.Array, scale: jax.Array) -> jax.Array:
    return scale * x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-6)


def logits(parameters: Parameters, tokens: jax.Array, heads: int) -> jax.Array:
    """Return the logits of the next token after each, [batch, tokens, vocabulary]."""
    batch, length = tokens.shape
    x = parameters["embed"][tokens] + parameters["place"][:length]
    causal = jnp.tril(jnp.ones((length, length), bool))

    def block(x: jax.Array, w: Parameters) -> tuple[jax.Array, None]:
        d = x.shape[-1]
        q, k, v = jnp.split(_normal(x, w["scale"][0]) @ w["attend"], 3, axis=-1)
        q, k, v = (a.reshape(batch, length, heads, d // heads).swapaxes(1, 2) for a in (q, k, v))
        weight = q @ k.swapaxes(-1, -2) / jnp.sqrt(d // heads)
        weight = jax.nn.softmax(jnp.where(causal, weight, -1e9), axis=-1)
        x = x + (weight @ v).swapaxes(1, 2).reshape(batch, length, d) @ w["mix"]
        return x + jax.nn.gelu(_normal(x, w["scale"][1]) @ w["up"]) @ w["down"], None

    x, _ = jax.lax.scan(block, x, parameters["blocks"])
    x = _normal(x, parameters["scale"])
    return x @ parameters["embed"].T * 4.0 + parameters["bias"]


def loss(parameters: Parameters, windows: jax.Array, heads: int) -> jax.Array:
    """Return the mean cross-entropy of the next token, in nats; what fills a window up counts not."""
    told = logits(parameters, windows[:, :-1], heads)
    said = jax.nn.log_softmax(told)
    wanted = windows[:, 1:]
    each = -jnp.take_along_axis(said, wanted[..., None], -1)[..., 0]
    counts = (wanted != END) | (windows[:, :-1] != END)
    return (each * counts).sum() / counts.sum()


@functools.partial(jax.jit, static_argnames=("heads", "steps"))
def _trained(state: Any, data: jax.Array, key: jax.Array, rate: float, heads: int, steps: int) -> Any:
    """Take some steps of Adam (Kingma & Ba 2015) with all seeds side by side."""

    def one(state: Any, key: jax.Array) -> Any:
        parameters, first, second, step = state
        rows = jax.random.randint(key, (BATCH,), 0, len(data))
        slope = jax.grad(loss)(parameters, data[rows], heads)
        norm = jnp.sqrt(sum((g * g).sum() for g in jax.tree.leaves(slope)))
        slope = jax.tree.map(lambda g: g * jnp.minimum(1.0, 1.0 / norm), slope)
        step = step + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, slope)
        second = jax.tree.map(lambda v, g: 0.98 * v + 0.02 * g * g, second, slope)
        now = rate * jnp.minimum(1.0, step / 300)
        parameters = jax.tree.map(
            lambda p, m, v: p - now * (m / (1 - 0.9**step)) / (jnp.sqrt(v / (1 - 0.98**step)) + 1e-8),
            parameters, first, second,
        )  # fmt: skip
        return parameters, first, second, step

    def all_seeds(state: Any, keys: jax.Array) -> tuple[Any, None]:
        return jax.vmap(one)(state, keys), None

    seeds = len(jax.tree.leaves(state[0])[0])
    keys = jax.random.split(key, (steps, seeds))
    return jax.lax.scan(all_seeds, state, keys)[0]


@functools.partial(jax.jit, static_argnames="heads")
def validation(parameters: Parameters, data: jax.Array, heads: int) -> jax.Array:
    """Return the loss of each seed on windows, a batch at a time."""
    parts = data[: len(data) // BATCH * BATCH].reshape(-1, BATCH, data.shape[1])
    each = jax.vmap(lambda p: jax.lax.map(lambda part: loss(p, part, heads), parts).mean())
    return each(parameters)


def _chosen(better: jax.Array, new: Parameters, old: Parameters) -> Parameters:
    """Take the new parameters of the seeds that are better, and the old ones of the others."""

    def one(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.where(better.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    return jax.tree.map(one, new, old)


@dataclass(frozen=True, eq=False)
class Trained:
    """Trained models: parameters of all seeds, validation loss, and steps until that."""

    parameters: Parameters
    loss: NDArray[np.float64]
    steps: NDArray[np.int64]


def train(
    size: Size,
    data: NDArray[np.int64],
    held_out: NDArray[np.int64],
    seeds: int,
    most: int = MOST_STEPS,
    keep_at: tuple[int, ...] = (),
) -> tuple[Trained, dict[int, Trained]]:
    """Train all seeds of a size by the rule; or, with `keep_at`, to the last of these steps.

    Returns
    -------
    Trained
        With the lowest validation loss.
    dict of int to Trained
        As it was at each step of `keep_at`.
    """
    keys = jax.random.split(jax.random.key(20), seeds)
    parameters = jax.vmap(lambda key: initial(size, key))(keys)
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    state = (parameters, zeros, zeros, jnp.zeros(seeds))
    best, lowest = parameters, np.full(seeds, np.inf)
    when, kept = np.zeros(seeds, np.int64), {}
    put, look = jnp.asarray(data, jnp.int32), jnp.asarray(held_out, jnp.int32)
    for step in range(LOOK, (max(keep_at) if keep_at else most) + 1, LOOK):
        state = _trained(state, put, jax.random.key(step), size.rate, size.heads, LOOK)
        now = np.asarray(validation(state[0], look, size.heads), np.float64)
        better = now < lowest - 1e-4
        best = _chosen(jnp.asarray(better), state[0], best)
        lowest, when = np.where(better, now, lowest), np.where(better, step, when)
        if step in keep_at:
            kept[step] = Trained(state[0], now, np.full(seeds, step))
        if not keep_at and (step - when >= PATIENCE * LOOK).all():
            break
    return Trained(best, lowest, when), kept


@functools.partial(jax.jit, static_argnames="heads")
def _sampled(
    parameters: Parameters, prompt: jax.Array, given: jax.Array, key: jax.Array, heat: float, heads: int
) -> jax.Array:
    """Continue prompts [batch, tokens], of which the first `given` tokens are kept."""

    def step(t: int, tokens: jax.Array) -> jax.Array:
        told = logits(parameters, tokens, heads)[:, t]
        told = told.at[:, BEGIN].set(-1e9) / heat
        drawn = jax.random.categorical(jax.random.fold_in(key, t), told)
        ended = (tokens[:, t] == END) & (t > 0)
        drawn = jnp.where(ended, END, drawn)
        return tokens.at[:, t + 1].set(jnp.where(t + 1 < given, tokens[:, t + 1], drawn))

    return jax.lax.fori_loop(0, prompt.shape[1] - 1, step, prompt)


def sample(
    parameters: Parameters,
    size: Size,
    prompts: NDArray[np.int64],
    given: NDArray[np.int64],
    heat: float,
    seed: int,
    at_once: int = 500,
) -> NDArray[np.int64]:
    """Let one model continue prompts; returns tokens, [samples, CONTEXT]."""
    found = []
    for first in range(0, len(prompts), at_once):
        part = slice(first, first + at_once)
        key = jax.random.fold_in(jax.random.key(seed), first)
        asked = jnp.asarray(prompts[part], jnp.int32), jnp.asarray(given[part], jnp.int32)
        found.append(np.asarray(_sampled(parameters, *asked, key, heat, size.heads)))
    return np.concatenate(found)
