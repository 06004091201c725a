"""The points of a sweep on simulated devices: one by one, side by side as an ensemble, in threads, or by dask."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from types import MappingProxyType
from typing import Any

import numpy as np

from . import _core
from ._sweep_grid import Axis, Point
from ._sweep_store import Record, record_of
from .errors import DeviceError, InvalidParameter, OutOfRange
from .session import Session

MEMBERS_AT_ONCE = 64  # each has a thread while it is measured
_PHYSICAL = (OutOfRange, DeviceError, ArithmeticError, np.linalg.LinAlgError)  # a point that cannot be, not a mistake


def measure_at(session: Session, point: Point, measures: Sequence[Any], seed: int) -> Record:
    session.point = MappingProxyType(point.point)
    return record_of(measures, session, point.rng(seed))


def work(device: str, point: Point, measures: Sequence[Any], seed: int, errors: str) -> Record:
    """One point on a device opened for it: nothing else decides the answer, so it may be done anywhere, and twice."""
    try:
        with Session(device, point.settings) as session:
            return measure_at(session, point, measures, seed)
    except _PHYSICAL as error:
        if errors != "nan":
            raise
        return Record({}, {}, f"{type(error).__name__}: {error}")


def batches(points: Sequence[Point], axes: Sequence[Axis]) -> Iterator[list[Point]]:
    """Points of consecutive instances that differ only in what needs no re-open."""
    fixed = {a.setting_name for a in axes if a.needs_reopen} | {"seed"}
    batch: list[Point] = []
    for point in points:
        if batch:
            last = batch[-1]
            same = all(last.settings.get(k) == point.settings.get(k) for k in fixed)
            follows = point.settings["instance"] == last.settings["instance"] + 1
            if not (same and follows and point.repeat == last.repeat and len(batch) < MEMBERS_AT_ONCE):
                yield batch
                batch = []
        batch.append(point)
    if batch:
        yield batch


def work_batch(device: str, batch: Sequence[Point], axes: Sequence[Axis], measures: Sequence[Any], seed: int) -> list[Any]:
    """Records, or None where the point is to be measured alone: its device failed, or the measures did different things."""
    moved = {a.setting_name for a in axes if a.of_device and not a.needs_reopen}
    common = {k: v for k, v in batch[0].settings.items() if k not in moved}
    own = [{k: v for k, v in p.settings.items() if k in moved} for p in batch]
    try:
        members = _core.Members(device, common, own)
    except InvalidParameter:  # of one member; the others are not held up
        return [None] * len(batch)
    records: list[Any] = [None] * len(batch)

    def one(m: int) -> None:
        session = Session.__new__(Session)
        _core.Session.__init__(session, members, m)
        try:
            records[m] = measure_at(session, batch[m], measures, seed)
        except Exception:  # alone, it is raised again with the device's own words
            pass
        finally:
            session.close()

    threads = [threading.Thread(target=one, args=(m,), daemon=True) for m in range(len(batch))]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        members.stop()
        raise
    return [None] * len(batch) if members.diverged else records


def here(device: str, points: Sequence[Point], axes: Sequence[Axis], measures: Sequence[Any], seed: int, errors: str,
         members: bool) -> Iterator[tuple[Point, Record]]:  # fmt: skip
    together = True
    for batch in batches(points, axes) if members else ([p] for p in points):
        records: list[Any] = [None] * len(batch)
        if together and len(batch) > 1:
            records = work_batch(device, batch, axes, measures, seed)
            together = any(r is not None for r in records)  # measures that cannot be batched are not tried again
        for point, record in zip(batch, records):
            yield point, record or work(device, point, measures, seed, errors)


def in_threads(device: str, points: Sequence[Point], measures: Sequence[Any], seed: int,
               errors: str) -> Iterator[tuple[Point, Record]]:  # fmt: skip
    pool = ThreadPoolExecutor(_core.threads())
    try:
        futures = {pool.submit(work, device, p, measures, seed, errors): p for p in points}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def by_dask(client: Any, device: str, points: Sequence[Point], measures: Sequence[Any], seed: int,
            errors: str) -> Iterator[tuple[Point, Record]]:  # fmt: skip
    from distributed import as_completed as completed

    futures = [client.submit(work, device, p, list(measures), seed, errors, key=f"lightloop-{p.key}", pure=True) for p in points]
    place = {f.key: p for f, p in zip(futures, points)}
    try:
        for future in completed(futures):
            yield place[future.key], future.result()
    finally:
        client.cancel(futures)


def results(engine: Any, device: str, points: Sequence[Point], axes: Sequence[Axis], measures: Sequence[Any], seed: int,
            errors: str, members: bool) -> Iterator[tuple[Point, Record]]:  # fmt: skip
    """Points with their records, in the order in which they are done."""
    if engine is None or engine == "ensemble":
        return here(device, points, axes, measures, seed, errors, members)
    if engine == "alone":
        return here(device, points, axes, measures, seed, errors, False)
    if engine == "threads":
        return in_threads(device, points, measures, seed, errors)
    if hasattr(engine, "submit") and hasattr(engine, "scheduler"):
        return by_dask(engine, device, points, measures, seed, errors)
    raise InvalidParameter("engine", repr(engine), "None, 'alone', 'threads' or a dask.distributed Client")
