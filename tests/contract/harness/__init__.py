"""The contract suite's machinery: it sends cases, makes answers comparable, and never knows which server it talks to."""
