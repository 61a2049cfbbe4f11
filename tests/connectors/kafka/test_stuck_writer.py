"""A writer is called stuck when the broker takes nothing, and not when a new message happens to wait."""

from types import SimpleNamespace

import pytest

from genesis.connectors import observing, probes
from genesis.connectors.kafka import producer as module
from genesis.connectors.kafka.producer import FrameProducer
from genesis.operators import topics
from genesis.operators.records import Health


class Client:
    """A Kafka client with so many messages on their way."""

    def __init__(self) -> None:
        self.waiting = 0

    def __len__(self) -> int:
        return self.waiting

    def poll(self, _timeout_s: float) -> int:
        return 0

    def produce(self, *_: object, **__: object) -> None:
        self.waiting += 1


@pytest.mark.parametrize(("answers", "stuck"), [(True, False), (False, True)])
def test_one_record_a_second_just_before_each_look(
    monkeypatch: pytest.MonkeyPatch, answers: bool, stuck: bool
) -> None:
    state, now = probes.State(), [1_000.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    for place in (module, probes):
        monkeypatch.setattr(place, "time", clock)
    for place in (module, probes, observing):
        monkeypatch.setattr(place, "STATE", state)
    monkeypatch.setattr(FrameProducer, "_verify", lambda _self: None)
    producer, client = FrameProducer("127.0.0.1:1", 1, embedded=False, name="store"), Client()
    producer._producer = client  # type: ignore[assignment]
    producer._streams[topics.HEALTH.name] = module.Stream(0, "log")
    state.is_started = True
    for second in range(12):
        now[0] += 1.05
        if answers:
            client.waiting = 0
        report = Health(id=str(second), recv_ns=1, component="store", state="ok", detail="", figures={})
        producer.send_record(topics.HEALTH, report)
        producer.poll()
    assert any("the broker takes nothing" in reason for reason in state.reasons()) is stuck
