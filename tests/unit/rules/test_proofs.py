"""Every rule in every dialect beside the real framework, in float64: values and state to 1e-12."""

import pytest

import optshare
from optshare.errors import HyperparameterError
from optshare.rules.dialects import DIALECTS, in_dialect
from tests.unit.rules.proofs import HIPS, PROOFS, SHAPES, measured, missing, parting


@pytest.mark.parametrize("proof", [*PROOFS, *HIPS], ids=str)
def test_a_dialect_is_the_frameworks_own_rule(proof):
    assert measured(proof) <= 1e-12


def test_every_preset_is_proven():
    assert missing() == set()


def test_every_elementwise_rule_is_proven():
    faces = {
        name
        for name in optshare.__all__
        if isinstance(getattr(optshare, name), type(optshare.Adam))
        and not issubclass(getattr(optshare, name).rule, optshare.ArrayRule)
    }
    elsewhere = {"ScheduleFreeSGD", "ScheduleFreeAdamW"}  # beside their authors' own package
    assert faces - elsewhere == {proof.rule for proof in PROOFS}


def options():
    """Each option of each preset, but those that are compared elsewhere."""
    for dialect, found in DIALECTS.items():
        for rule, presets in found.items():
            for preset in presets:
                for name in preset.options:
                    if name != "lr" and (dialect, name) != ("optax", "threshold"):
                        yield pytest.param(
                            dialect, rule, preset, name, id=f"{dialect} {preset.theirs} {name}"
                        )


def is_noticed(proof, face, hyperparameters):
    """Whether a rule parts from that of a proof, or is none."""
    try:
        return parting(proof, SHAPES[0], face(**hyperparameters)) > 1e-9
    except HyperparameterError:
        return True


@pytest.mark.parametrize(("dialect", "rule", "preset", "option"), list(options()))
def test_without_an_option_of_a_preset_the_proof_would_fail(dialect, rule, preset, option):
    ours = getattr(optshare, rule)
    about = [
        each
        for each in PROOFS
        if each[:2] == (dialect, rule) and each.theirs == preset.theirs and option not in each.given
    ]
    for proof in about:
        whole = {**in_dialect(ours.rule, dialect, proof.given)}
        del whole[option]
        if option == "decoupled_weight_decay":
            whole |= {"decay_without_lr": False, "decay_after_step": False}
        if is_noticed(proof, ours, whole):
            return
    raise AssertionError(f"none of {len(about)} proofs notices")
