"""Pictures of traces, of trainings and of sweeps, by matplotlib."""
