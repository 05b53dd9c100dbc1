"""The read path: PostgreSQL first, then the replica, git and the status file; every answer says where it is from."""
