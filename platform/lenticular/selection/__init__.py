"""What is shown next: the queue, its arms, and leases."""
