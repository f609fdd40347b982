"""Golden models: what the hardware must compute, bit for bit, in NumPy, SciPy and ml_dtypes."""
