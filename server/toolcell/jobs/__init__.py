"""What runs in the background: the line of jobs, their attempts, who waits for them. The rules are in model/job."""
