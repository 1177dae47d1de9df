"""Fast twins of single operations, one folder per processor; see `minivit.twins`."""
