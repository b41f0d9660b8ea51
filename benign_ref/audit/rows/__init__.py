"""The ledger's rows, one module a group of statements; ROWS in each."""
