"""What people ask of the cluster about Apps, with no agent in between."""
