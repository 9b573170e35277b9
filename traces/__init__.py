"""What comes out: recordings, labelled arrays, files, manifests, checkpoints, plots."""
