"""The tables on a server that has Multicorn2: all that is otherwise there than on the bundled host."""
