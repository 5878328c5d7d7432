"""A policy without torch: a network in NumPy with what says how it is to be run, in one file; and the same as ONNX."""

import json
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from engine.files import check_array, check_keys, parse_json, read_arrays, write_arrays

FORMAT = 1
LEAST = 1e-5  # of LayerNorm, as torch has it
OPSET, IR = 17, 8  # of ONNX: the first operators with LayerNormalization


class Policy:
    """Observation to action: (o - mean) / std within 10, then layers W x + b, of which the hidden ones end in
    `activation` ("elu" or "tanh") and, where they have a gain g and bias c, in LayerNorm.

    arrays: mean std (nobs,), W1 b1 [g1 c1] W2 ... spec: a dict of plain values, how observation and action are made
    (`observation`: [[name, size], ...] in order; see TRAINING.md). Raises ValueError for shapes that do not fit.
    """

    def __init__(self, arrays: dict[str, np.ndarray], spec: dict[str, Any]) -> None:
        self.spec, self.layers = spec, []
        arrays = {name: np.asarray(a, float) for name, a in arrays.items()}
        check_keys("a policy", arrays, ["mean", "std", "W1", "b1"])
        check_array("mean", arrays["mean"], "f", (None,))
        n = len(arrays["mean"])
        check_array("std", arrays["std"], "f", (n,))
        self.mean, self.std = arrays["mean"], arrays["std"]
        while f"W{len(self.layers) + 1}" in arrays:
            k = len(self.layers) + 1
            W, b = arrays[f"W{k}"], arrays.get(f"b{k}", np.zeros(0))
            check_array(f"W{k}", W, "f", (None, n))
            n = len(W)
            check_array(f"b{k}", b, "f", (n,))
            norm = (arrays[f"g{k}"], arrays[f"c{k}"]) if f"g{k}" in arrays else None
            for name in (f"g{k}", f"c{k}") if norm else ():
                check_array(name, arrays[name], "f", (n,))
            self.layers.append((W, b, norm))
        if spec.get("activation") not in ("elu", "tanh"):
            raise ValueError(f"activation: got {spec.get('activation')!r}, allowed: elu, tanh")
        sizes = sum(size for _, size in spec.get("observation", []))
        if sizes != len(self.mean):
            raise ValueError(f"observation: its parts have {sizes} numbers, allowed: {len(self.mean)}")

    def __call__(self, observation: ArrayLike) -> np.ndarray:
        """Actions (..., nu) of observations (..., nobs)."""
        x = np.clip((np.asarray(observation, float) - self.mean) / self.std, -10.0, 10.0)
        for W, b, norm in self.layers[:-1]:
            x = x @ W.T + b
            x = np.tanh(x) if self.spec["activation"] == "tanh" else np.where(x > 0, x, np.expm1(np.minimum(x, 0.0)))
            if norm is not None:
                x = x - x.mean(axis=-1, keepdims=True)
                x = x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + LEAST) * norm[0] + norm[1]
        W, b, _ = self.layers[-1]
        return x @ W.T + b

    def arrays(self) -> dict[str, np.ndarray]:
        """{name: array}, as the constructor takes them."""
        found = {"mean": self.mean, "std": self.std}
        for k, (W, b, norm) in enumerate(self.layers, 1):
            found |= {f"W{k}": W, f"b{k}": b}
            found |= {} if norm is None else {f"g{k}": norm[0], f"c{k}": norm[1]}
        return found

    def save(self, path: Any) -> None:
        """Write a NumPy archive: the arrays, and `spec` as a JSON text."""
        write_arrays(path, {"spec": json.dumps({"format": FORMAT, **self.spec}), **self.arrays()}, sync=True)

    @classmethod
    def load(cls, path: Any) -> "Policy":
        """What `save` wrote. Raises ValueError, which names the file, where it is damaged."""
        found = read_arrays(path, "a policy")
        try:
            check_keys("it", found, ["spec"])
            spec = parse_json(found.pop("spec"))
            if spec.get("format") != FORMAT:
                raise ValueError(f"format: got {spec.get('format')!r}, allowed: {FORMAT}")
            return cls(found, spec)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def to_onnx(self, path: Any) -> None:
        """Write ONNX: "observation" (batch, nobs) to "action" (batch, nu), in doubles as here; `spec` is in the model's
        metadata as JSON, under "pullback". Needs the package onnx."""
        try:
            import onnx
            from onnx import TensorProto, helper, numpy_helper
        except ImportError as error:
            raise ImportError('a policy as ONNX needs the onnx package: pip install "pullback[onnx]"') from error
        nodes, now, values = [], "observation", dict(self.arrays())
        values |= {"least": np.array(-10.0), "most": np.array(10.0)}

        def add(kind, out, *inputs, **attributes):
            nonlocal now
            nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
            now = out

        add("Sub", "moved", now, "mean")
        add("Div", "scaled", now, "std")
        add("Clip", "within", now, "least", "most")
        for k, (_, _, norm) in enumerate(self.layers, 1):
            add("Gemm", "action" if k == len(self.layers) else f"sum{k}", now, f"W{k}", f"b{k}", transB=1)
            if k == len(self.layers):
                break
            add("Tanh" if self.spec["activation"] == "tanh" else "Elu", f"on{k}", now)
            if norm is not None:
                add("LayerNormalization", f"norm{k}", now, f"g{k}", f"c{k}", axis=-1, epsilon=LEAST)
        ends = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["batch", n])
                for name, n in (("observation", len(self.mean)), ("action", len(self.layers[-1][0])))]  # fmt: skip
        weights = [numpy_helper.from_array(np.ascontiguousarray(a, np.float64), name) for name, a in values.items()]
        graph = helper.make_graph(nodes, "policy", ends[:1], ends[1:], weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="pullback")
        model.ir_version = IR
        helper.set_model_props(model, {"pullback": json.dumps({"format": FORMAT, **self.spec})})
        onnx.checker.check_model(model)
        onnx.save(model, str(path))
