"""The operators of ONNX that become layers of modnet: importing these modules fills the table `CONVERTERS`."""

from modnet_onnx.importing.operators import images as images
from modnet_onnx.importing.operators import learning as learning
from modnet_onnx.importing.operators import norms as norms
from modnet_onnx.importing.operators import pointwise as pointwise
from modnet_onnx.importing.operators import products as products
from modnet_onnx.importing.operators import sequences as sequences
from modnet_onnx.importing.operators import shapes as shapes
