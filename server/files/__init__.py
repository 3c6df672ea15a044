"""Files over HTTP: what is in the input, output and temp folders, and uploads into them."""
