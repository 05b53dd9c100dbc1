"""One client at work on one project: its session, its replica, its link to the server, and what stands in while one is away."""
