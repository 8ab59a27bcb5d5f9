"""The kit has to find what it is there for: each planted fault by its rule, and nothing else."""

import re
from importlib import import_module

import numpy as np
import pytest

from modnet import Example, Loss
from modnet.layers import Add
from modnet.testing import ContractError, check_component, examine
from modnet.testing.contract import MODULES, group_of
from modnet.testing.rules.layer import Trial
from tests.testing.broken import AddsUp, Centred, Fails, Hits, Negative, Right, Squares, faults
from tests.testing.unusual import UNUSUAL

NOT_PLANTED = {
    ("component", "JSON Schema"),  # made from the same hints as the reader, so that no component can bring them apart
}
"""(module, rule) that no component in broken.py breaks, with the reason."""

WITHOUT_NUMBERS = {
    *("documented", "named", "type hints", "fields", "immutable", "round trip", "JSON Schema", "does not change"),
    *("arguments", "declarations", "refusals", "slots", "events", "plain accumulators", "plain state"),
}
"""Rules about names, types and declarations."""


def rules():
    """(module, rule) of all kinds."""
    modules = dict.fromkeys(module for modules in MODULES.values() for module in modules)
    return [(name, rule) for name in modules for rule in import_module(f"modnet.testing.rules.{name}").RULES]


def test_a_trial_gives_a_layer_of_several_inputs_the_mask_that_a_network_would():
    trial = Trial(Example(Add(), ((None, 3), (None, 3), (None, 3))))
    masks = [None, np.arange(3) < np.array([[3], [2], [3], [1]]), np.arange(3) < np.array([[2], [3], [3], [3]])]
    context = trial.context(masks=masks)
    trial.forward(context, trial.inputs())
    np.testing.assert_array_equal(context.output_mask, masks[1] & masks[2])


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: type(fault.component).__name__)
def test_a_fault_is_found_by_its_rule_and_by_no_other(fault):
    report = examine(fault.component, *fault.shapes)
    assert [row.rule for row in report.failures] == [fault.rule], report.faults()
    (row,) = report.failures
    assert row.remedy
    assert fault.rule in WITHOUT_NUMBERS or re.search(r"\d", row.text), row.text


@pytest.mark.parametrize("shapes", [[(4,)], [(3, 4)], [(None, 4)], [(5, 4, 3)], []], ids=str)
def test_the_layer_without_a_fault_passes(shapes):
    report = check_component(Right(), *shapes)
    assert report.failures == []
    assert {row.rule for row in report.rows if row.status == "not applicable"} == {
        "members",
        "needs_input",
        "prepare",
        "promises",
        "repeats",
        "scale and shift",
        "takes a scale",
        "target before",
    }


@pytest.mark.parametrize("cls", [Squares, Centred, Negative, Hits])
def test_what_the_broken_ones_are_made_of_has_no_fault_but_its_name(cls):
    assert {row.rule for row in examine(cls()).failures} == {"documented", "named"} - (
        {"documented"} if cls.__doc__ else set()
    )


@pytest.mark.parametrize(("component", "shapes"), UNUSUAL, ids=lambda value: type(value).__name__)
def test_what_is_unusual_and_right_is_no_fault(component, shapes):
    check_component(component, *shapes)


def test_every_rule_has_a_component_that_breaks_it():
    broken = {(module_of(fault), fault.rule) for fault in faults()}
    found = {(module, rule.name) for module, rule in rules()}
    # The rules of a layer are tried for each of several outputs by one and the same way.
    borrowed = {(module, rule) for module, rule in found if module == "outputs" and rule != "outputs"}
    assert ("outputs", "gradients") in broken
    assert broken | NOT_PLANTED | borrowed == found
    assert not broken & NOT_PLANTED


def test_there_are_enough_of_them():
    assert len(faults()) >= 25
    assert len({type(fault.component).type for fault in faults()} - {""}) >= len(faults()) - 1


def module_of(fault):
    """The module of the rule that a fault breaks: rules of one name are different ones for different kinds."""
    group = group_of(fault.component)
    named = [
        m for m in MODULES[group] for r in import_module(f"modnet.testing.rules.{m}").RULES if r.name == fault.rule
    ]
    (module,) = named
    return module


@pytest.mark.parametrize("kind", MODULES)
def test_the_rules_that_one_depends_on_are_examined_before_it(kind):
    everywhere = {name for modules in MODULES.values() for name in names_of(modules)}
    names = names_of(MODULES[kind])
    assert len(set(names)) == len(names)
    for module in MODULES[kind]:
        for rule in import_module(f"modnet.testing.rules.{module}").RULES:
            before = names[: names.index(rule.name)]
            assert set(rule.after) <= everywhere
            assert set(rule.after) & set(names) <= set(before), rule.name


def names_of(modules):
    return [rule.name for name in modules for rule in import_module(f"modnet.testing.rules.{name}").RULES]


def test_the_error_lists_every_rule_with_numbers_and_remedy():
    class Both(AddsUp, type="both"):
        """Adds up its gradients, and those of the input are 0.05 % wrong."""

        def backward(self, context, gradient):
            return super().backward(context, gradient) * 1.0005

    with pytest.raises(ContractError) as caught:
        check_component(Both(), (4,))
    message = str(caught.value)
    assert message.startswith('layer "both" Both() on (4,) breaks 2 rules:')
    assert re.search(
        r"  gradients: input: along one direction finite differences give a slope of (\S+), the gradient gives "
        r"(?!\1)\S+: a relative error of 0\.0005; at most 1e-06 is expected\n",
        message,
    )
    assert "      Derive backward from forward again" in message
    assert "  memory: " in message
    (report,) = caught.value.reports
    skipped = next(row for row in report.rows if row.rule == "writes gradients")
    assert (skipped.status, skipped.text) == ("not examined", 'because "gradients" failed')


def test_a_loss_that_takes_nothing_that_was_tried_says_why():
    class OneForAll(Loss, type="one_for_all"):
        """The square of the distance of each output from one number."""

        def target_shapes(self, prediction_shape):
            return ((1,),) if prediction_shape == (3,) else ()

        def values(self, prediction, target):
            return ((prediction - target) ** 2).mean(axis=1)

        def gradient(self, prediction, target):
            return 2 * (prediction - target) / prediction.shape[1]

    (row,) = examine(OneForAll()).failures
    assert "; the first gives ShapeError: one_for_all expects a target of shape (1,)" in row.text
    assert "Example(cls(), ((3,), (1,)))" in row.remedy
    check_component(OneForAll(), (3,), (1,))


def test_a_report_is_a_table_with_a_row_for_each_rule():
    report = check_component(Right(), (4,))
    title, *rows = str(report).splitlines()
    assert title == 'layer "right" Right() on (4,)'
    assert len(rows) == len(report.rows)
    assert any(row.split()[:3] == ["needs_input", "not", "applicable"] for row in rows)


def test_the_fault_of_a_callback_says_where_it_arose():
    (row,) = examine(Fails()).failures
    assert "TrainingError" in row.text
    assert "beauty" in row.text


def test_without_jsonschema_one_rule_is_left_out(monkeypatch):
    monkeypatch.setattr("modnet.testing.rules.component.find_spec", lambda name: None)
    row = next(row for row in check_component(Right(), (4,)).rows if row.rule == "JSON Schema")
    assert row.status == "not examined"
    assert "pip install jsonschema" in row.text


def test_numpys_global_generator_is_left_as_it_was():
    np.random.seed(5)
    expected = np.random.random(3).tolist()
    np.random.seed(5)
    check_component(Right(), (4,))
    assert np.random.random(3).tolist() == expected
