"""No thread of the program's own ends unseen, and what fails half way lets go of what it took."""
