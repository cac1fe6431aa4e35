"""From batches to a bundle: classifier, LightningModule, callbacks, export."""
