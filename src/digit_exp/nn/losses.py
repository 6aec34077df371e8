"""The loss of a classifier, softmax and cross-entropy in one function.

Together they are stable for any logits, their gradient is one subtraction, and labels stay the
integers they are: no one-hot matrix is made.
"""

import numpy as np

from digit_exp.arrays import Array, Labels


def softmax(logits: Array) -> Array:
    """Return probabilities, shape `(batch, classes)`; overwrites `logits`.

    Shifted by the row's maximum, which changes nothing but keeps eˣ finite.
    """
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def cross_entropy(logits: Array, labels: Labels, smoothing: float = 0.0) -> tuple[float, Array]:
    """Return the mean loss over the batch and ∂loss/∂logits; overwrites `logits`.

    loss = −Σₖ qₖ log pₖ with p = softmax(logits) and the target q: 1 for the label, or with label
    smoothing (Szegedy et al. 2016) q = (1 − ε) · onehot + ε / classes; and
    ∂loss/∂logits = (p − q) / batch.
    """
    rows, classes = np.arange(len(labels)), logits.shape[1]
    # For short rows, argmax and a product with ones are faster than NumPy's max and sum.
    logits -= logits[rows, logits.argmax(axis=1), np.newaxis]
    # −Σ qₖ log pₖ = log Σ eᶻ − Σ qₖ zₖ, as Σ qₖ = 1
    target = (1 - smoothing) * float(logits[rows, labels].sum())
    if smoothing:
        target += smoothing / classes * float(logits.sum())
    probabilities = np.exp(logits, out=logits)
    total = probabilities @ np.ones(classes, logits.dtype)
    loss = (float(np.log(total).sum()) - target) / len(labels)

    probabilities /= total[:, np.newaxis]
    if smoothing:
        probabilities -= smoothing / classes
    probabilities[rows, labels] -= 1 - smoothing
    probabilities *= 1 / len(labels)
    return loss, probabilities
