"""How the official implementations call the parts of our models and build the same, a file per architecture.

Each file has

- TABLES, [("timm", table), ("transformers", table) ...]: names and layouts. All of them are read, the first of a name
  is written. "transformers" are the names of its modules from version 5 on, "transformers4" those of version 4 and of
  the files on the Hugging Face hub, which both can read,
- HEAD: our name of the linear map to the classes,
- build(reading, facts): our model for a checkpoint, from its shapes and from what shapes do not tell,
- sizes(model): the lengths of axes that our layout merges,
- timm_config(model) and transformers_config(model): what config.json says, where there is a counterpart.
"""
