from importlib import import_module
from inspect import Parameter, signature

import pytest

from cnninspect.errors import UnknownModel, UnknownSetting
from cnninspect.sources.zoo import parse_settings
from cnninspect.zoo import catalogue


@pytest.mark.parametrize("name", catalogue.names())
def test_a_network_has_the_parameters_that_its_row_says(parameters_of, name):
    assert parameters_of(name) == catalogue.find(name)[1].parameters


@pytest.mark.parametrize("family", catalogue.FAMILIES, ids=lambda family: family.builder)
def test_a_builder_takes_every_setting_of_its_family_by_keyword(family):
    module, name = family.builder.split(":")
    builder = signature(getattr(import_module(module), name))
    by_keyword = (Parameter.KEYWORD_ONLY, Parameter.VAR_KEYWORD)
    assert all(parameter.kind in by_keyword for parameter in builder.parameters.values())
    for variant in family.variants:
        builder.bind(**family.arguments_of(variant, {}))


@pytest.mark.parametrize("family", catalogue.FAMILIES, ids=lambda family: family.builder)
def test_defaults_are_among_what_may_be_typed(family):
    for variant in family.variants:
        for setting in family.settings_of(variant):
            if setting.choices:
                assert setting.default in setting.choices
            if setting.minimum is not None and isinstance(setting.default, (int, float)):
                assert setting.default >= setting.minimum
            if setting.maximum is not None and isinstance(setting.default, (int, float)):
                assert setting.default <= setting.maximum


def test_no_name_is_there_twice():
    assert len(set(catalogue.names())) == len(catalogue.names())


def test_every_network_names_its_paper_and_year():
    for entry in catalogue.entries():
        assert entry.paper
        assert 1940 < entry.year < 2100


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("plain18", "drop_path"),  # no shortcut to take
        ("plain18", "stride_in"),
        ("resnet34", "stride_in"),  # both convolutions are 3×3
        ("preresnet18", "stride_in"),
        ("preresnet110", "stride_in"),
        ("se_resnet18", "stride_in"),
        ("plain20", "drop_path"),
        ("plain20", "shortcut"),
    ],
)
def test_a_setting_without_effect_is_refused(name, setting):
    family, variant = catalogue.find(name)
    with pytest.raises(UnknownSetting):
        parse_settings(name, [(setting, "0")], family.settings_of(variant))


def test_an_unknown_name_is_an_error_with_the_nearest_names():
    with pytest.raises(UnknownModel) as error:
        catalogue.find("alexnett")
    assert "did you mean alexnet" in error.value.hint
