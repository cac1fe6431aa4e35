"""What stands around one training: the config's schema, the job, its record and its signature."""
