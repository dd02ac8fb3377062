"""What the commands about a cluster's operator share: they make, replace and retire its keys."""
