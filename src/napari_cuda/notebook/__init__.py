"""A session in a notebook: rendered in its kernel, shown in its cells."""
