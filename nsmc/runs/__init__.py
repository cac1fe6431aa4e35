"""One run: prepared, trained, measured, recorded; resumed, rerun, or a recipe of several."""
