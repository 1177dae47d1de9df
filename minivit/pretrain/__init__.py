"""Ways to train a model without labels, or with a teacher's help; a file with VARIANTS has a model to train."""
