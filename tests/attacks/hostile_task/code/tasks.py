"""Tasks that attack their site, and one honest control; copied beside `attempts`."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import torch

from fednet.domain.tensors import FloatArray, encode_tensors
from fednet.learning import Dataset, Task


class Honest(Task):
    """Learn something tiny, as every other task here does when it is not attacking."""

    def model(self) -> torch.nn.Module:
        return torch.nn.Linear(2, 2)

    def load(self, path: Path) -> Dataset:
        assert path.read_bytes()
        Path("note.txt").write_text("scratch is writable")
        features = torch.arange(16, dtype=torch.float32).reshape(8, 2) / 16
        return Dataset(features, (features.sum(dim=1) > 1).long())

    def loss(self, model: torch.nn.Module, batch: Dataset) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(model(batch.features), batch.labels)

    def metrics(self, model: torch.nn.Module, data: Dataset) -> dict[str, float]:
        return {"rows": float(len(data))}


class TriesEverything(Honest):
    def metrics(self, model: torch.nn.Module, data: Dataset) -> dict[str, float]:
        import attempts

        return attempts.try_all()


class ReadsTheKeystore(Honest):
    def load(self, path: Path) -> Dataset:
        import attempts

        attempts.read_the_keystore()
        return super().load(path)


class ImportsUncovered(Honest):
    def load(self, path: Path) -> Dataset:
        __import__("un" + "covered")
        return super().load(path)


class TakesMemory(Honest):
    def load(self, path: Path) -> Dataset:
        bytearray(2 << 30)
        return super().load(path)


class TakesSharedMemory(Honest):
    def load(self, path: Path) -> Dataset:
        taken = mmap.mmap(-1, 2 << 30)
        for position in range(0, len(taken), 1 << 20):
            ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(taken, position)), 1, 1 << 20)
            time.sleep(0.002)
        time.sleep(600)
        return super().load(path)


class TakesThreads(Honest):
    def load(self, path: Path) -> Dataset:
        threading.stack_size(1 << 16)
        for _ in range(200):
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        time.sleep(600)
        return super().load(path)


class TakesDisk(Honest):
    def load(self, path: Path) -> Dataset:
        for number in range(40):
            Path(f"big-{number}").write_bytes(b"x" * (1 << 20))
        time.sleep(600)
        return super().load(path)


class Sleeps(Honest):
    def load(self, path: Path) -> Dataset:
        time.sleep(600)
        return super().load(path)


class SleepsWithTheLock(Honest):
    def load(self, path: Path) -> Dataset:
        ctypes.PyDLL(None).sleep(600)
        return super().load(path)


class Exits(Honest):
    def load(self, path: Path) -> Dataset:
        sys.stderr.write("a parting word\n")
        sys.stderr.flush()
        os._exit(7)


class ClosesEverything(Honest):
    def load(self, path: Path) -> Dataset:
        os.closerange(0, 1024)
        time.sleep(600)
        return super().load(path)


class SpeaksNonsense(Honest):
    """Write over the pipe to the node, past the protocol."""

    def load(self, path: Path) -> Dataset:
        for descriptor in range(3, 64):
            try:
                os.write(descriptor, b"\xff" * 64)
            except OSError:
                continue
        time.sleep(600)
        return super().load(path)


class Prints(Honest):
    def load(self, path: Path) -> Dataset:
        sys.stdout.write("\xff" * 100)
        os.write(1, b"\xff" * 100)
        return super().load(path)


class Diverges(Honest):
    def loss(self, model: torch.nn.Module, batch: Dataset) -> torch.Tensor:
        return super().loss(model, batch) * float("nan")


class GrowsItsModel(Honest):
    """Answer with another model than it was asked to train."""

    def metrics(self, model: torch.nn.Module, data: Dataset) -> dict[str, float]:
        from fednet.learning import service

        service.encode_tensors = _encode_too_much
        return super().metrics(model, data)


class SendsNaN(Honest):
    def metrics(self, model: torch.nn.Module, data: Dataset) -> dict[str, float]:
        with torch.no_grad():
            model.weight[0, 0] = float("nan")
        return super().metrics(model, data)


class KeepsWholeNumbers(Honest):
    def model(self) -> torch.nn.Module:
        return torch.nn.BatchNorm1d(2)


def _encode_too_much(arrays: Mapping[str, FloatArray], metadata: Mapping[str, object]) -> bytes:
    return encode_tensors({**arrays, "smuggled": next(iter(arrays.values()))}, metadata)
