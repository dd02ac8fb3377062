"""What `kubectl get` prints: the columns of each kind (pkg/printers/internalversion)."""
