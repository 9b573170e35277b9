"""What runs a Program: numpy (the referee) and numba, and the Simulator on top."""
