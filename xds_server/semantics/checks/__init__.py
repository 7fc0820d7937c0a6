"""What can be wrong, as a catalogue: a stable code for each kind of fault, what it means and how it is mended."""
