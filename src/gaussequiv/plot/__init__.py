"""Figures of results: curves, residuals, branches, phases, steps, information, layers, diagnosis of fields, decisions; sheets."""

from gaussequiv.plot.decision import candidates as candidates
from gaussequiv.plot.fields import diagnosis as diagnosis
from gaussequiv.plot.figures import branches as branches
from gaussequiv.plot.figures import curve as curve
from gaussequiv.plot.figures import information as information
from gaussequiv.plot.figures import layers as layers
from gaussequiv.plot.figures import phase_diagram as phase_diagram
from gaussequiv.plot.figures import residuals as residuals
from gaussequiv.plot.figures import steps as steps
from gaussequiv.plot.sheets import sample_sheet as sample_sheet
