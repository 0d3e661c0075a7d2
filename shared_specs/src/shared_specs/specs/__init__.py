"""The specs, one file a stage; the docstring of each says what is broken when it fails."""
