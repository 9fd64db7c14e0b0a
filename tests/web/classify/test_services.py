from tests.universe import classify
from lenticular.consensus.services import rebuild_consensus
from lenticular.selection.services import rebuild_queue

def test_smoke(universe):
    assert len(universe.recorded) == 7
    assert rebuild_consensus(workflow=universe.workflow, check=True) == []
    assert rebuild_queue(workflow=universe.workflow, check=True) == []
