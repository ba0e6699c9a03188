"""What runs in the background: lines of jobs, their attempts, who waits for them. The rules: model/job."""
