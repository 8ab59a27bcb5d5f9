"""Recurrent layers for modnet: rnn, lstm, gru, bidirectional, masking."""

from modnet_recurrent.bidirectional import Bidirectional
from modnet_recurrent.gru import GRU
from modnet_recurrent.lstm import LSTM
from modnet_recurrent.masking import Masking
from modnet_recurrent.rnn import RNN

__all__ = ["GRU", "LSTM", "RNN", "Bidirectional", "Masking"]
