"""`napari-cuda bench`: the whole chain, between processes and over links, beside its floors of the same run."""
