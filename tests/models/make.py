"""Write the models of the tests: pip install onnx tokenizers, then python tests/models/make.py

`overlap` is a cross-encoder of one layer whose weights tests/kernels/cross_encoder_twin.py has: it finds the
tokens of a query in a text. `tokens` and `texts` embed texts: the one gives a vector for each token, the
other one for the text too. The others are what a reranker must refuse, or be interrupted in. All share the
tokenizer.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "kernels"))

from cross_encoder_twin import HEADS, HIDDEN, SCALE, SHIFT, SPECIAL, VOCABULARY, WIDTH, weights  # noqa: E402

Node = onnx.NodeProto
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def write_tokenizer() -> None:
    """Pieces of words, frequent ones first, out of the sample."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    with gzip.open(ROOT / "examples" / "data" / "documents.tsv.gz", "rt", encoding="utf-8") as sample:
        lines = [line.split("\t")[2] for line in sample]
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCABULARY, special_tokens=list(SPECIAL), show_progress=False
    )
    tokenizer.train_from_iterator(lines, trainer)
    ends = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    tokenizer.save(str(HERE / "tokenizer.json"), pretty=False)


def node(kind: str, inputs: str, output: str, **attributes: object) -> Node:
    """A node; inputs are names with spaces between them."""
    return helper.make_node(kind, inputs.split(), [output], **attributes)


def write(
    name: str,
    nodes: list[Node],
    outputs: dict[str, list[object]],
    constants: dict[str, np.ndarray],
    inputs: tuple[str, ...] = INPUTS,
) -> None:
    """A model of these inputs (b, t), with the shapes of its outputs by name."""
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(given, TensorProto.INT64, ["b", "t"]) for given in inputs],
        [helper.make_tensor_value_info(given, TensorProto.FLOAT, axes) for given, axes in outputs.items()],
        [numpy_helper.from_array(array, constant) for constant, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, HERE / f"{name}.onnx")


def projected(name: str, order: list[int]) -> list[Node]:
    """The words by one projection, cut into heads."""
    return [
        node("MatMul", f"x {name}", f"{name}_all"),
        node("Reshape", f"{name}_all into_heads", f"{name}_cut"),
        node("Transpose", f"{name}_cut", f"{name}_heads", perm=order),
    ]


def overlap() -> None:
    """Attention of a query's tokens to those of the text, and how much of each comes back."""
    constants = weights()
    for name, number in {"one": 1, "hidden": HIDDEN, "scale": SCALE, "shift": SHIFT, "small": 1e-6}.items():
        constants[name] = np.array(number, np.float32)
    constants["root"] = np.array((WIDTH // HEADS) ** 0.5, np.float32)
    constants["into_heads"] = np.array([0, 0, HEADS, WIDTH // HEADS], np.int64)
    constants["out_of_heads"] = np.array([0, 0, WIDTH], np.int64)
    constants["middle"], constants["last"] = np.array([1, 2], np.int64), np.array([-1], np.int64)
    nodes = [
        node("Gather", "words input_ids", "x"),
        *projected("query", [0, 2, 1, 3]),
        *projected("key", [0, 2, 3, 1]),
        *projected("value", [0, 2, 1, 3]),
        node("Cast", "token_type_ids", "second", to=TensorProto.FLOAT),
        node("Cast", "attention_mask", "there", to=TensorProto.FLOAT),
        node("Mul", "second there", "visible"),
        node("Sub", "one visible", "invisible"),
        node("Mul", "invisible hidden", "bias_of_keys"),
        node("Unsqueeze", "bias_of_keys middle", "bias"),
        node("MatMul", "query_heads key_heads", "dots"),
        node("Div", "dots root", "scaled"),
        node("Add", "scaled bias", "masked"),
        node("Softmax", "masked", "weights", axis=-1),
        node("MatMul", "weights value_heads", "output_heads"),
        node("Transpose", "output_heads", "output_cut", perm=[0, 2, 1, 3]),
        node("Reshape", "output_cut out_of_heads", "output_all"),
        node("MatMul", "output_all output", "attended"),
        node("Sub", "one second", "first"),
        node("Mul", "first there", "asks"),
    ]
    for what, other in {"found": "attended", "wanted": "x"}.items():
        nodes += [
            node("Mul", f"x {other}", f"{what}_products"),
            node("ReduceSum", f"{what}_products last", f"{what}_tokens", keepdims=0),
            node("Mul", f"{what}_tokens asks", f"{what}_asked"),
            node("ReduceSum", f"{what}_asked last", what, keepdims=1),
        ]
    nodes += [
        node("Add", "wanted small", "whole"),
        node("Div", "found whole", "share"),
        node("Mul", "share scale", "scaled_share"),
        node("Add", "scaled_share shift", "logits"),
    ]
    write("overlap", nodes, {"logits": ["b", 1]}, constants)


def embedding() -> None:
    """Models of vectors (1, the root of the token's number), and of the largest elements of these.

    `labels` has the former too, but calls them logits, as a model does that labels tokens.
    """
    numbers = np.arange(VOCABULARY, dtype=np.float32)
    words = np.stack([numbers > 0, np.sqrt(numbers)], axis=1).astype(np.float32)
    by_token = node("Gather", "words input_ids", "last_hidden_state")
    outputs: dict[str, list[object]] = {"last_hidden_state": ["b", "t", 2]}
    write("tokens", [by_token], outputs, {"words": words})
    largest = node("ReduceMax", "last_hidden_state", "sentence_embedding", axes=[1], keepdims=0)
    write("texts", [by_token, largest], {**outputs, "sentence_embedding": ["b", 2]}, {"words": words})
    labels = node("Gather", "words input_ids", "logits")
    write("labels", [labels], {"logits": ["b", "t", 2]}, {"words": words})


def refused() -> None:
    """Models that give two numbers, that take something else, or whose logits are NaN."""
    last = {"last": np.array([-1], np.int64)}
    token_types = [
        node("Cast", "token_type_ids", "second", to=TensorProto.FLOAT),
        node("ReduceSum", "second last", "count", keepdims=1),
    ]
    write("two", [*token_types, node("Concat", "count count", "logits", axis=1)], {"logits": ["b", 2]}, last)
    cast = node("Cast", "pixels", "logits", to=TensorProto.FLOAT)
    write("pixels", [cast], {"logits": ["b", "t"]}, {}, ("pixels",))
    few = {**last, "few": np.array(20, np.float32)}
    nodes = [*token_types, node("Sub", "few count", "left"), node("Log", "left", "logits")]
    write("not_a_number", nodes, {"logits": ["b", 1]}, few)


def slow() -> None:
    """Products of matrices for many seconds, one of them short."""
    constants = {"size": np.array([1000, 1000], np.int64), "last": np.array([-1], np.int64)}
    nodes = [
        node("Cast", "input_ids", "numbers", to=TensorProto.FLOAT),
        node("ReduceSum", "numbers last", "sums", keepdims=1),
        node("ReduceMax", "numbers", "largest", keepdims=0),
        node("Sub", "largest largest", "nothing"),
        node("Expand", "nothing size", "m0"),
        *(node("MatMul", f"m{i} m0", f"m{i + 1}") for i in range(1000)),
        node("ReduceMax", "m1000", "still_nothing", keepdims=0),
        node("Add", "sums still_nothing", "logits"),
    ]
    write("slow", nodes, {"logits": ["b", 1]}, constants, ("input_ids",))


if __name__ == "__main__":
    write_tokenizer()
    overlap()
    embedding()
    refused()
    slow()
