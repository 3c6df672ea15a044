"""A pack that fails after it has printed."""

print("about to fail")
{}["what is not there"]
