"""Suggestions for a key that does not exist."""

from collections.abc import Sequence
from difflib import get_close_matches

SYNONYMS = {
    "batch": "batch_size",
    "batchsize": "batch_size",
    "clip": "clip_norm",
    "clip_grad": "clip_norm",
    "depth": "hidden",
    "dropout_rate": "dropout",
    "hidden_layers": "hidden",
    "hidden_sizes": "hidden",
    "hidden_units": "hidden",
    "initializer": "init",
    "label_smooth": "label_smoothing",
    "layers": "hidden",
    "learning_rate": "lr",
    "max_epochs": "epochs",
    "metric": "monitor",
    "mu": "momentum",
    "num_epochs": "epochs",
    "path": "dir",
    "random_state": "seed",
    "units": "hidden",
    "val_split": "val_ratio",
    "validation_ratio": "val_ratio",
    "validation_split": "val_ratio",
    "wd": "weight_decay",
}
"""Names of fields in other libraries, and their names here."""


def suggestions(path: str, known: Sequence[str]) -> list[str]:
    """Return the keys in `known` that `path` may have been meant to be: none, one, or a few.

    A key in the group that was named comes first, then one that ends in the same word anywhere.

    >>> suggestions("lr", ["seed", "optimizer.lr", "trainer.epochs"])
    ['optimizer.lr']
    >>> suggestions("optimizer.learn_rate", ["optimizer.lr", "optimizer.beta1"])
    ['optimizer.lr']
    """
    group, _, word = path.rpartition(".")
    siblings = [key for key in known if key.rpartition(".")[0] == group]
    strangers = [] if siblings else known  # what else the name of the group may have been
    return (
        _same_word(word, siblings)
        or _same_word(word, known)[:3]
        or _near_word(word, siblings)
        or get_close_matches(path, strangers, n=1, cutoff=0.8)
        or _near_word(word, known)[:3]
    )


def question(path: str, known: Sequence[str]) -> str:
    """Return ` Did you mean 'optimizer.lr'?`, or nothing if no key in `known` is near."""
    meant = suggestions(path, known)
    return f" Did you mean {' or '.join(map(repr, meant))}?" if meant else ""


def _same_word(word: str, keys: Sequence[str]) -> list[str]:
    word = SYNONYMS.get(word, word)
    return [key for key in keys if key.rpartition(".")[2] == word]


def _near_word(word: str, keys: Sequence[str]) -> list[str]:
    """Return the keys that end in the word nearest to `word`, or in one that means the same."""
    ends = {key.rpartition(".")[2] for key in keys}
    words = sorted(ends | {other for other, end in SYNONYMS.items() if end in ends})
    near = get_close_matches(word, words, n=1, cutoff=0.7)
    return _same_word(near[0], keys) if near else []
