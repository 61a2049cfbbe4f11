"""The edges: everything that talks to a socket, a file, a clock or the environment."""
