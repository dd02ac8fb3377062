"""Custom resources → Apps that are scheduled, and how they stand → their status."""
