"""Evaluation of detection: protocols, metrics, reports."""
