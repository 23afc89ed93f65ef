"""Commands on judge policies and criteria sets, and how an execution freezes their versions. Pure."""
