"""The terminal dashboard: a model that folds records, the views that draw it, the keys that steer it."""
