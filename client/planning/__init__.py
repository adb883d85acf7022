"""How many conversations a fleet carries: a simulation of it in discrete events, from stated figures."""
