import numpy as np
import pytest

from digit_exp.nn.parameters import Kind, Parameters, Slot

SLOTS = {
    "one.weight": Slot((4, 3), Kind.weight),
    "one.bias": Slot((3,), Kind.bias),
    "norm.gamma": Slot((3,), Kind.bias),
    "norm.running_mean": Slot((3,), Kind.buffer),
    "two.weight": Slot((3, 2), Kind.weight),
    "two.bias": Slot((2,), Kind.bias),
}


def numbered():
    parameters = Parameters(SLOTS, np.float64)
    parameters.storage[:] = np.arange(len(parameters.storage))
    parameters.grads[:] = np.arange(len(parameters.grads))
    return parameters


def test_weights_come_first_then_biases_then_buffers():
    parameters = numbered()
    assert parameters.value("one.weight")[0, 0] == 0
    assert parameters.value("two.weight")[0, 0] == 12
    assert parameters.value("one.bias")[0] == 18
    assert parameters.value("norm.gamma")[0] == 21
    assert parameters.value("two.bias")[0] == 24
    assert parameters.value("norm.running_mean")[0] == 26


def test_the_parts_have_the_sizes_of_their_slots():
    parameters = numbered()
    assert len(parameters.weights) == len(parameters.weight_grads) == 4 * 3 + 3 * 2
    assert len(parameters) == len(parameters.values) == len(parameters.grads) == 18 + 3 + 3 + 2
    assert len(parameters.storage) == 26 + 3


def test_each_view_of_a_slot_is_a_part_of_the_vector():
    parameters = numbered()
    for name, slot in SLOTS.items():
        view = parameters.value(name)
        assert view.shape == slot.shape
        assert np.shares_memory(view, parameters.storage)
        view[...] = -1
    assert (parameters.storage == -1).all()


def test_each_number_belongs_to_one_slot():
    parameters = numbered()
    parts = [parameters.value(name).reshape(-1) for name in SLOTS]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(29))


def test_gradients_lie_where_their_values_lie():
    parameters = numbered()
    for name in SLOTS.keys() - {"norm.running_mean"}:
        np.testing.assert_array_equal(parameters.grad(name), parameters.value(name))
        assert np.shares_memory(parameters.grad(name), parameters.grads)


def test_matrices_are_the_weights_in_their_shapes():
    parameters = numbered()
    assert parameters.weight_names == ["one.weight", "two.weight"]
    assert [matrix.shape for matrix in parameters.matrices] == [(4, 3), (3, 2)]
    assert all(np.shares_memory(matrix, parameters.weights) for matrix in parameters.matrices)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_vectors_have_the_dtype_that_was_asked_for(dtype):
    parameters = Parameters(SLOTS, dtype)
    vectors = (parameters.storage, parameters.values, parameters.grads, parameters.weights)
    assert {vector.dtype for vector in vectors} == {np.dtype(dtype)}
