"""Starting the five processes on this machine, watching over them, and showing how they are."""
