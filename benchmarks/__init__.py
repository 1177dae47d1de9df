"""Side-by-side measurements against PyTorch: python -m benchmarks."""
