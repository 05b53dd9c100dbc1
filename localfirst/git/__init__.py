"""Git, asked in one way by everything here, and never under a repository's own configuration.

place           what of a `.git` is believed, and where its parts are
runner          one question to the program `git`: no other program, no network, a time limit
configuration   what a configuration says, without its includes
references      the commit that is checked out
remotes         the address of a repository, and the project's name in it
"""
