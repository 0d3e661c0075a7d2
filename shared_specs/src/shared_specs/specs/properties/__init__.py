"""What must hold for any arrays and any net: a file a stage, as for the specs above."""
