"""Fast twins of single operations, one file per processor; see `minivit.twins`."""
