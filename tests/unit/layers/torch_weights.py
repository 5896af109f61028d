"""PyTorch's recurrent weights in our layers."""

from functools import partial


def names(layer):
    """Each cell, with the end of the names that PyTorch gives its weights."""
    directions = 2 if layer.bidirectional else 1
    for number, cell in enumerate(layer.cells):
        depth, backward = divmod(number, directions)
        yield cell, f"l{depth}{'_reverse' if backward else ''}"


def take_weights(layer, module):
    """Give a recurrent layer the weights of PyTorch's."""
    for cell, end in names(layer):
        get = partial(_array, module, end)
        cell.input_weight.value = get("weight_ih").T
        cell.hidden_weight.value = get("weight_hh").T
        if cell.hidden_bias is not None:
            cell.bias.value, cell.hidden_bias.value = get("bias_ih"), get("bias_hh")
        elif cell.bias is not None:
            cell.bias.value = get("bias_ih") + get("bias_hh")


def _array(module, end, name):
    return getattr(module, f"{name}_{end}").detach().numpy()


def gradients(layer, module):
    """Each Parameter, with the gradient that PyTorch found for what it stands for."""
    for cell, end in names(layer):
        yield cell.input_weight, getattr(module, f"weight_ih_{end}").grad.numpy().T
        yield cell.hidden_weight, getattr(module, f"weight_hh_{end}").grad.numpy().T
        if cell.bias is not None:
            yield cell.bias, getattr(module, f"bias_ih_{end}").grad.numpy()
        if cell.hidden_bias is not None:
            yield cell.hidden_bias, getattr(module, f"bias_hh_{end}").grad.numpy()
