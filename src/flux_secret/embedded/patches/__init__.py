"""A patch + an object → the patched object: JSON patch, merge patch, strategic merge patch."""
