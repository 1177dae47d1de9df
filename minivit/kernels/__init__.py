"""Fast forms of single operations, one folder per processor; see `minivit.fast_forms`."""
