"""One module per kind of route: its rules as routing values, and what is wrong with them."""
