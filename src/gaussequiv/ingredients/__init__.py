"""Small frozen pieces a problem is made of: activations, spectra, inputs, networks, channels."""
