"""Physical models of machines and faults for demo, tests and training variety; never evidence of detection quality."""
