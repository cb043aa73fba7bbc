"""A trained generator of one's own: the DCGAN of the package `gan_face_generate` as inputs, without installing it or PyTorch.

    pip download gan_face_generate==1.1.1 --no-deps
    unzip gan_face_generate-1.1.1-*.whl gan_face_generate/weights.tar
    python examples/own_generator.py gan_face_generate/weights.tar

It maps 100 latents to faces of 64 x 64 pixels; here they are made grey and averaged over blocks of 8 x 8, so that N = 64. Labels are signs
of a linear function of the latents. Some five minutes on one core, for drawing faces.
"""

import io
import pickle
import sys
import zipfile

import jax
import jax.numpy as jnp
import numpy as np

import gaussequiv as ge


class Table(dict):
    """An ordered dictionary, whose attributes the file may set."""


KINDS = {"FloatStorage": np.float32, "LongStorage": np.int64}


def read_weights(path):
    """The arrays of a file that PyTorch saved. Only its own containers are known to the reader: nothing in it can be executed."""
    archive = zipfile.ZipFile(path)
    root = next(name for name in archive.namelist() if name.endswith("/data.pkl")).removesuffix("data.pkl")

    def rebuilt(storage, offset, shape, strides, *rest):
        items = storage.itemsize
        view = np.lib.stride_tricks.as_strided(storage[offset:], shape, [items * step for step in strides])
        return view.copy()

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            if (module, name) == ("collections", "OrderedDict"):
                return Table
            if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
                return rebuilt
            if module == "torch" and name in KINDS:
                return KINDS[name]
            raise pickle.UnpicklingError(f"{path}: {module}.{name} is no array")

        def persistent_load(self, key):
            _, kind, name, *_ = key
            return np.frombuffer(archive.read(f"{root}data/{name}"), dtype=kind)

    return Reader(io.BytesIO(archive.read(f"{root}data.pkl"))).load()


def faces(weights):
    """The generator of Radford, Metz, Chintala 2016 in evaluation mode: latents (rows, 100) to grey images (rows, 8, 8)."""
    layers = sorted(int(name.split(".")[1]) for name, value in weights.items() if name.endswith("weight") and value.ndim == 4)

    def transposed(x, kernel, stride, padding):
        """torch.nn.ConvTranspose2d as a convolution with a dilated input."""
        size = kernel.shape[-1] - 1 - padding
        flipped = jnp.flip(kernel, (2, 3)).transpose(1, 0, 2, 3)
        return jax.lax.conv_general_dilated(x, flipped, (1, 1), [(size, size)] * 2, lhs_dilation=(stride, stride))

    @jax.jit
    def generate(latents):
        x = latents.astype(jnp.float32)[:, :, None, None]
        for i, place in enumerate(layers):
            x = transposed(x, weights[f"main.{place}.weight"], 1 if i == 0 else 2, 0 if i == 0 else 1)
            if place == layers[-1]:
                return jnp.tanh(x).mean(axis=1).reshape(len(x), 8, 8, 8, 8).mean(axis=(2, 4))
            mean, variance, scale, shift = (
                weights[f"main.{place + 1}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
            )
            x = jax.nn.relu((x - mean) / jnp.sqrt(variance + 1e-5) * scale + shift)

    def in_batches(latents):
        return np.concatenate([np.asarray(generate(latents[i : i + 128])) for i in range(0, len(latents), 128)])

    return in_batches


def main(path):
    """Moments, the linear share of the outputs, and ridge and logistic regression beside the true faces."""
    function = faces(read_weights(path)["netG_state_dict"])
    generator = ge.FunctionGenerator(function, latent_dim=100, name="faces", normalise=True, tolerance=0.04, max_samples=40_000)
    moments = generator.moments()
    share = np.trace(moments.phi @ moments.phi.T) / np.trace(moments.omega)
    print(f"{generator}: {moments.samples} samples, error {moments.omega_error:.1%}, linear share {share:.3f}")
    problem = ge.Problem(ge.LinearTarget(task="classification"), ge.GeneratorInputs(generator), [ge.Ridge(0.1), ge.Logistic(0.1)])
    result = ge.compare(problem, alpha=[1.25, 2.5, 5.0], trials=16, seed=0, test_samples=512)
    print(result.test_error.to_series().unstack("source").round(4).to_string())


if __name__ == "__main__":
    main(sys.argv[1])
