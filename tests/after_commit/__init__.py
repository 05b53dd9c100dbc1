"""Nothing that follows the commit of a write turns it into an error: each step after the commit is made to fail in turn."""
