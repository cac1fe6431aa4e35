"""What classifiers say of the same reviews: kept, tested for differences, and shown by slices.

Made with numpy alone, so that bundles can be compared where nothing is trained.
"""
