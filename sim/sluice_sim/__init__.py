"""Golden models, test benches and proofs."""
