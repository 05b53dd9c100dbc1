"""Where a read is answered from, layer by layer and fault by fault."""
