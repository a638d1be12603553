"""State detection: detectors, calibration, profiles, alarms."""
