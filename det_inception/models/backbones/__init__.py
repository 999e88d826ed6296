"""Networks, registered with MMDetection."""
