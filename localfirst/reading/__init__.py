"""The read path: PostgreSQL first, then the replica; every answer says where it is from."""
