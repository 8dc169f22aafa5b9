"""What vectors and maps say: similarities, head concepts, convergence, reports (section 6)."""
