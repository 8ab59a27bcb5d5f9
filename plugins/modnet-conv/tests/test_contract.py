"""Every layer and kernel of the plugin keeps the contract; a new one is tested by being among the entry points."""

import pytest
from modnet_conv.augmentation import RandomCrop, RandomFlip, RandomShift
from modnet_conv.convolution import Conv1d, Conv2d, ConvTranspose2d, DepthwiseConv2d, SeparableConv2d
from modnet_conv.pooling import AveragePool1d, AveragePool2d, GlobalMaxPool, MaxPool1d, MaxPool2d

import modnet
from modnet import Example
from modnet.testing import check_component
from modnet.testing.distribution import offered_by

FURTHER = [
    Example(Conv1d(out_channels=2, kernel_size=3, padding=(2, 0)), ((None, 2),)),
    Example(Conv1d(out_channels=2, kernel_size=4, stride=3, padding="same"), ((None, 16),)),
    Example(Conv2d(out_channels=2, kernel_size=1), ((None, None, 3),)),
    Example(Conv2d(out_channels=4, kernel_size=3, stride=(2, 1), padding=((0, 1), (2, 0)), groups=2), ((5, 4, 20),)),
    Example(ConvTranspose2d(out_channels=2, kernel_size=1, stride=2), ((None, 3, 2),)),
    Example(DepthwiseConv2d(kernel_size=3, dilation=2, padding=2, stride=2), ((None, 5, 2),)),
    Example(SeparableConv2d(out_channels=2, kernel_size=3, stride=2, bias=False), ((5, 6, 3),)),
    Example(MaxPool1d(pool_size=3, stride=1, padding="same"), ((None, 2),)),
    Example(AveragePool1d(pool_size=3, padding=1, count_padding=True), ((None, 2),)),
    Example(MaxPool2d(pool_size=(3, 2), stride=2, padding=((0, 2), (1, 0))), ((None, 5, 2),)),
    Example(AveragePool2d(pool_size=3, padding="same"), ((5, None, 2),)),
    Example(GlobalMaxPool(), ((3, 2, 4, 3),)),
    Example(RandomCrop(height=3, width=3), ((3, 3, 1),)),
    Example(RandomFlip(direction="vertical", probability=0.9), ((None, 3, 1),)),
    Example(RandomShift(distance=9), ((None, 3, 1),)),
]


@pytest.mark.parametrize("offer", offered_by("modnet-conv", modnet.default_registry()), ids=str)
def test_what_is_offered_keeps_the_contract(offer):
    offer.check()


@pytest.mark.parametrize("example", FURTHER, ids=str)
def test_further_uses_keep_the_contract(example):
    check_component(example.component, *example.input_shapes)
