"""`python -m napari_cuda`: the command line."""

from napari_cuda.cli import app

app(prog_name="napari-cuda")
