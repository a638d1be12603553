"""Physical models of machines and faults for demo, tests and training variety; never evidence of detection quality.

>>> import numpy as np
>>> spec = random_spec(MachineType.PUMP, np.random.default_rng(3), "pump_3")
>>> samples = MachineSimulator(spec, seed=1).render(16_000, fault_kind(MachineType.PUMP, "cavitation"), 0.5)
>>> samples.shape, samples.dtype
((16000,), dtype('float32'))
"""

from edge_agent.simulate.bearing import Bearing
from edge_agent.simulate.individuals import fault_kind, fault_kinds, random_spec
from edge_agent.simulate.input_faults import InputFault, apply_input_fault
from edge_agent.simulate.kinds import FaultKind, MachineState, MachineType, SimulationError
from edge_agent.simulate.simulator import MachineSimulator, Severity
from edge_agent.simulate.spec import MachineSpec

__all__ = [
    "Bearing",
    "FaultKind",
    "InputFault",
    "MachineSimulator",
    "MachineSpec",
    "MachineState",
    "MachineType",
    "Severity",
    "SimulationError",
    "apply_input_fault",
    "fault_kind",
    "fault_kinds",
    "random_spec",
]
