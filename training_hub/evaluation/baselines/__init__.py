"""The usual methods of the field, judged through the same protocol on the same clips.

Their settings were fixed beforehand: none was chosen on test labels.
"""
