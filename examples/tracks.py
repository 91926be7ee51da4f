"""Tracks and vectors: particles that go round, and where they are heading."""

import napari
import numpy as np

times = np.arange(30)
rows, arrows = [], []
for particle in range(6):
    angle = times / 8 + particle
    place = np.stack([50 + (20 + 5 * particle) * np.sin(angle), 50 + (20 + 5 * particle) * np.cos(angle)], axis=1)
    rows += [[particle, time, *at] for time, at in zip(times, place, strict=True)]
    heading = np.gradient(place, axis=0)
    arrows += [[[time, *at], [0, *way]] for time, at, way in zip(times, place, heading, strict=True)]

viewer = napari.Viewer()
viewer.add_tracks(np.array(rows), name="tracks", tail_length=12)
viewer.add_vectors(np.array(arrows), name="headings", length=2, edge_width=0.6, edge_color="white")
viewer.dims.set_current_step(0, 20)

if __name__ == "__main__":
    napari.run()
