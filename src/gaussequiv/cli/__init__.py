"""The command line. Importing this package loads neither NumPy nor the engines: commands import what they need."""

from gaussequiv.cli import curves as curves
from gaussequiv.cli import data as data
from gaussequiv.cli import generators as generators
from gaussequiv.cli import inference as inference
from gaussequiv.cli import information as information
from gaussequiv.cli import papers as papers
from gaussequiv.cli import phases as phases
from gaussequiv.cli import rows as rows
from gaussequiv.cli.base import app as app
from gaussequiv.cli.base import main as main
