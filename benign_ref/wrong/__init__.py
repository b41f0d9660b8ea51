"""Named wrong derivations: the ledger must reject them, the exercises recognise them."""
