"""Pictures of circuits, by matplotlib: cells, synapses, and the protocol as a timeline."""
