"""The Simulator and what stands around it."""
