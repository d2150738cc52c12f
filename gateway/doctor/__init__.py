"""`gateway doctor`: what a machine, a configuration or a proxy would get wrong, found before a caller finds it."""
