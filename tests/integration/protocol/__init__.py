"""HTTP itself: methods, bodies, headers, and the answers to faults."""
